#pragma once
#include <cblas.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/// Chooses OpenBLAS kernels that fit the CPU where OpenBLAS' own detection is too old to know it.
///
/// OpenBLAS 0.3.21 (Debian 12) takes Intel CPUs newer than itself for a Prescott and computes with
/// SSE3: 35 GFLOP/s a core where AVX-512 reaches 160. The kernels are chosen when the library is
/// loaded, so the choice is made anew here with OPENBLAS_CORETYPE set; the two functions that do it
/// are looked up by name, so that a build of OpenBLAS without them still links. A user's own
/// OPENBLAS_CORETYPE is left alone. Call before the first product and from one thread.
static inline void copenblas_choose_kernels(void) {
#if defined(__x86_64__)
  static const char *const modern[] = {"Haswell", "Zen", "SkylakeX", "Cooperlake", "SapphireRapids"};
  const char *core = openblas_get_corename();
  for (size_t i = 0; i < sizeof modern / sizeof *modern; i++)
    if (strcmp(core, modern[i]) == 0) return;
  if (getenv("OPENBLAS_CORETYPE")) return;

  __builtin_cpu_init();
  const char *fitting = NULL;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    fitting = "SkylakeX";
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    fitting = "Haswell";
  if (!fitting) return;

  void (*quit)(void) = (void (*)(void))dlsym(RTLD_DEFAULT, "gotoblas_dynamic_quit");
  void (*init)(void) = (void (*)(void))dlsym(RTLD_DEFAULT, "gotoblas_dynamic_init");
  if (!quit || !init) return;
  setenv("OPENBLAS_CORETYPE", fitting, 1);
  quit();
  init();
#endif
}

/// Whether the CPU has 256-bit fused multiply-add, the least that every fast kernel here needs.
static inline int copenblas_cpu_has_avx2(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return 0;
#endif
}

/// How many floats a register of the processor that is compiled for holds.
#if defined(__AVX512F__)
#define COPENBLAS_REGISTER_FLOATS 16
#else
#define COPENBLAS_REGISTER_FLOATS 8
#endif
