/* A C library for a component that has none: memory in blocks of powers of two, each kind in a list of
   its own when it is free. Nothing is given back to the broker; an instance has a bound of its own. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 65536, KINDS = 28, SMALLEST = 16 };

/* Before each block; while it is free, `next` begins what it holds. */
typedef struct block {
  uint32_t kind;
  uint32_t unused;
  struct block *next[];
} block;

extern unsigned char __heap_base;
static block *free_blocks[KINDS];
static uintptr_t fresh, fresh_end;

static size_t len_of(uint32_t kind) { return (size_t)SMALLEST << kind; }

static block *take_fresh(size_t len) {
  if (fresh == 0) {
    fresh = ((uintptr_t)&__heap_base + SMALLEST - 1) & ~(uintptr_t)(SMALLEST - 1);
    fresh_end = (uintptr_t)__builtin_wasm_memory_size(0) * PAGE;
  }
  if (len > fresh_end - fresh) {
    size_t pages = (len - (fresh_end - fresh) + PAGE - 1) / PAGE;
    if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) abort();
    fresh_end += pages * PAGE;
  }
  block *taken = (block *)fresh;
  fresh += len;
  return taken;
}

void *malloc(size_t len) {
  uint32_t kind = 0;
  while (kind < KINDS && len_of(kind) - sizeof(block) < len) kind++;
  if (kind == KINDS) abort();
  block *taken = free_blocks[kind];
  if (taken) free_blocks[kind] = taken->next[0];
  else taken = take_fresh(len_of(kind));
  taken->kind = kind;
  return taken + 1;
}

void free(void *held) {
  if (!held) return;
  block *freed = (block *)held - 1;
  freed->next[0] = free_blocks[freed->kind];
  free_blocks[freed->kind] = freed;
}

void *calloc(size_t count, size_t len) {
  size_t all;
  if (__builtin_mul_overflow(count, len, &all)) abort();
  return memset(malloc(all), 0, all);
}

void *realloc(void *old, size_t len) {
  if (!old) return malloc(len);
  size_t had = len_of(((block *)old - 1)->kind) - sizeof(block);
  if (len <= had) return old;
  void *new = memcpy(malloc(len), old, had);
  free(old);
  return new;
}

void abort(void) { __builtin_trap(); }

void *memcpy(void *to, const void *from, size_t len) { return __builtin_memcpy(to, from, len); }
void *memmove(void *to, const void *from, size_t len) { return __builtin_memmove(to, from, len); }
void *memset(void *to, int byte, size_t len) { return __builtin_memset(to, byte, len); }

int memcmp(const void *a, const void *b, size_t len) {
  const unsigned char *x = a, *y = b;
  for (size_t i = 0; i < len; i++)
    if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
  return 0;
}

size_t strlen(const char *text) {
  size_t len = 0;
  while (text[len]) len++;
  return len;
}
