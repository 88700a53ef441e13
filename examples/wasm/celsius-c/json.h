/* Members of a JSON object, found where they stand in its text. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A part of a text. */
typedef struct span { const uint8_t *at; size_t len; } span;

/* Names and texts stand between quotes, which do not belong to them. */
typedef struct member { span name; span value; } member;

/* Finds a member of the object that `json` is. Names are compared as they are written. */
bool json_member(span json, const char *name, member *found);

/* What stands between the quotes of a text; nothing if it is none. */
span json_text(span value);

/* The value of a number; false if it is none. */
bool json_number(span value, double *number);
