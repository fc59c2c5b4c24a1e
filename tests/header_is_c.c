/* Compiled by a C compiler: the public header must stand alone and need no C++. */
#include <bantam/bantam.h>

int main(void) {
  return 0;
}
