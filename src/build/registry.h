#include "../core/registry.h"
