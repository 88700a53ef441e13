#include "json.h"

#include <string.h>

/* What is left to be read. */
typedef struct reader { const uint8_t *at, *end; } reader;

static bool next_is(reader *r, uint8_t byte) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')) r->at++;
  return r->at < r->end && *r->at == byte;
}

static bool take(reader *r, uint8_t byte) { return next_is(r, byte) && r->at++; }

/* A text with its quotes. */
static bool take_text(reader *r, span *text) {
  if (!next_is(r, '"')) return false;
  text->at = r->at++;
  for (; r->at < r->end; r->at++) {
    if (*r->at == '\\') r->at++;
    else if (*r->at == '"') {
      text->len = (size_t)(++r->at - text->at);
      return true;
    }
  }
  return false;
}

/* Any value; of objects and lists only where they end is looked for. */
static bool take_value(reader *r, span *value) {
  if (next_is(r, '"')) return take_text(r, value);
  value->at = r->at;
  size_t depth = 0;
  while (r->at < r->end) {
    uint8_t byte = *r->at;
    span skipped;
    if (byte == '"') {
      if (depth == 0 || !take_text(r, &skipped)) return false;
      continue;
    }
    bool closes = byte == '}' || byte == ']';
    if (depth == 0 && (closes || byte == ',' || byte <= ' ')) break;
    if (byte == '{' || byte == '[') depth++;
    if (closes) depth--;
    r->at++;
    if (closes && depth == 0) break;
  }
  value->len = (size_t)(r->at - value->at);
  return value->len > 0 && depth == 0;
}

span json_text(span value) {
  span none = {value.at, 0};
  if (value.len < 2 || value.at[0] != '"') return none;
  return (span){value.at + 1, value.len - 2};
}

bool json_member(span json, const char *name, member *found) {
  reader r = {json.at, json.at + json.len};
  size_t len = strlen(name);
  bool is_there = false;
  if (!take(&r, '{')) return false;
  if (take(&r, '}')) return false;
  do {
    member here;
    if (!take_text(&r, &here.name) || !take(&r, ':') || !take_value(&r, &here.value)) return false;
    here.name = json_text(here.name);
    if (here.name.len == len && memcmp(here.name.at, name, len) == 0) {
      *found = here;
      is_there = true;
    }
  } while (take(&r, ','));
  /* Nothing may follow: what is no JSON is left alone. */
  return take(&r, '}') && !next_is(&r, 0) && r.at == r.end && is_there;
}

static bool take_digits(reader *r, double *number, int *count) {
  const uint8_t *start = r->at;
  for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) *number = *number * 10 + (*r->at - '0');
  *count = (int)(r->at - start);
  return *count > 0;
}

bool json_number(span value, double *number) {
  reader r = {value.at, value.at + value.len};
  bool is_negative = r.at < r.end && *r.at == '-' && r.at++;
  double digits = 0, exponent = 0;
  int count, shift = 0;
  if (!take_digits(&r, &digits, &count)) return false;
  if (r.at < r.end && *r.at == '.') {
    r.at++;
    if (!take_digits(&r, &digits, &shift)) return false;
  }
  if (r.at < r.end && (*r.at == 'e' || *r.at == 'E')) {
    bool is_small = false;
    r.at++;
    if (r.at < r.end && (*r.at == '-' || *r.at == '+')) is_small = *r.at++ == '-';
    if (!take_digits(&r, &exponent, &count)) return false;
    if (is_small) exponent = -exponent;
  }
  double power = exponent - shift;
  if (power > 400 || power < -400) return false;
  for (; power > 0; power--) digits *= 10;
  for (; power < 0; power++) digits /= 10;
  *number = is_negative ? -digits : digits;
  return r.at == r.end;
}
