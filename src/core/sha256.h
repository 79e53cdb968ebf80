#ifndef TARE_CORE_SHA256_H
#define TARE_CORE_SHA256_H
#include <stdbool.h>
#include <stddef.h>
/* A running sha256; sha256_take is a sink function. */
typedef struct sha256 { _Alignas(16) unsigned char state[128]; } sha256;
void sha256_start(sha256 *h);
bool sha256_take(void *h, const char *data, size_t n);
void sha256_end(sha256 *h, char hex[65]);
#endif
