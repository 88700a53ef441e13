/* As much of the C library as bindings need; see libc.c. */
#pragma once
#include <stddef.h>

void *malloc(size_t len);
void *calloc(size_t count, size_t len);
void *realloc(void *old, size_t len);
void free(void *block);
_Noreturn void abort(void);
