/* Four over six: its package is not public, so nothing says what its modules hold. */
#include "quant.h"

const quant_method method_fouroversix = {
    .name = "fouroversix",
    .names = SET("fouroversix"),
    .not_asked = "it needs the package fouroversix, and what its modules hold is not known here",
    .not_in_config = "it needs the package fouroversix, and what its modules hold is not known here",
};
