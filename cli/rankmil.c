#include "rankmil/rankmil.h"

int main(void) { return 0; }
