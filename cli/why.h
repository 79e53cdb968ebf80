/* config --why. */
#ifndef TARE_CLI_WHY_H
#define TARE_CLI_WHY_H
#include "cli.h"

int why_print(const args *a, const tare_config *c);
#endif
