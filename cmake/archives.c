/* Links only if the archives of json-c and libcrypto need nothing beyond the C library. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <json-c/json.h>
#include <openssl/sha.h>

int main(void) {
    SHA256_CTX sha;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    json_object *o = json_tokener_parse("[1.5]");
    const char *text = json_object_to_json_string(o);
    return SHA256_Init(&sha) && SHA256_Update(&sha, text, 1) && SHA256_Final(digest, &sha) ? 0 : 1;
}
