/* Links only if the archives of json-c, libcrypto and PCRE2 need nothing beyond the C library. */
#define OPENSSL_SUPPRESS_DEPRECATED
#define PCRE2_CODE_UNIT_WIDTH 8
#include <json-c/json.h>
#include <openssl/sha.h>
#include <pcre2.h>

int main(void) {
    SHA256_CTX sha;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    json_object *o = json_tokener_parse("[1.5]");
    const char *text = json_object_to_json_string(o);
    int error;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)"[0-9]", PCRE2_ZERO_TERMINATED, 0, &error, &at, NULL);
    return code && SHA256_Init(&sha) && SHA256_Update(&sha, text, 1) && SHA256_Final(digest, &sha) ? 0 : 1;
}
