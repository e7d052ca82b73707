// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include <dlfcn.h>

// Loads every shared object named, in the way that lets later ones bind to symbols of earlier
// ones, and only then makes a call through each.
int main(int argc, char** argv)
{
  void* objects[8] = {};
  for (int i = 1; i < argc && i < 8; ++i) {
    objects[i] = dlopen(argv[i], RTLD_NOW | RTLD_GLOBAL);
    if (objects[i] == nullptr) {
      std::printf("%s\n", dlerror());
      return 1;
    }
  }
  int failures = argc < 3 ? 1 : 0;
  for (int i = 1; i < argc && i < 8; ++i) {
    using function      = int (*)();
    auto const call     = reinterpret_cast<function>(dlsym(objects[i], "linkage_call"));
    auto const expected = reinterpret_cast<function>(dlsym(objects[i], "linkage_expected"));
    int const got       = call();
    int const wanted    = expected();
    std::printf("%s: status code %d, expected %d\n", argv[i], got, wanted);
    failures += got != wanted;
  }
  return failures;
}
