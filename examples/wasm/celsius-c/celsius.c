/* Fahrenheit becomes Celsius in JSON payloads: {"temp_f": 70} is delivered as {"temp_c": 21.1}. */
#include <stdlib.h>
#include <string.h>

#include "binding/transform_plugin.h"
#include "json.h"

enum { NAME_MAX = 64, NUMBER_MAX = 24 };

/* Names of the fields that are read and written. */
static char from[NAME_MAX + 1] = "temp_f";
static char to[NAME_MAX + 1] = "temp_c";

/* What is returned is freed by the binding, so it is never a literal. */
static transform_plugin_string_t text(const char *literal) {
  transform_plugin_string_t copy;
  transform_plugin_string_dup(&copy, literal);
  return copy;
}

void exports_pintle_plugin_lifecycle_describe(exports_pintle_plugin_lifecycle_about_t *about) {
  memset(about, 0, sizeof *about);
  about->name = text("celsius");
  about->version = text("1.0.0");
  about->hooks = EXPORTS_PINTLE_PLUGIN_LIFECYCLE_HOOKS_PUBLISH;
  about->payload = true;
}

/* Takes the name of a field from the configuration, if it is there. */
static bool configured(span config, const char *key, char *name) {
  member found;
  if (!json_member(config, key, &found)) return true;
  span value = json_text(found.value);
  if (value.len == 0 || value.len > NAME_MAX) return false;
  memcpy(name, value.at, value.len);
  name[value.len] = 0;
  return true;
}

bool exports_pintle_plugin_lifecycle_init(exports_pintle_plugin_lifecycle_settings_error_t *error) {
  transform_plugin_string_t config;
  pintle_plugin_config_get(&config);
  span json = {config.ptr, config.len};
  bool is_fine = configured(json, "from", from) && configured(json, "to", to);
  transform_plugin_string_free(&config);
  if (!is_fine) {
    memset(error, 0, sizeof *error);
    error->what = text("`from` and `to` name fields, in 64 bytes at most");
  }
  return is_fine;
}

/* Writes a number with one digit behind the point, or none. */
static size_t write_tenths(long long tenths, char *out) {
  char digits[NUMBER_MAX];
  size_t len = 0, count = 0;
  unsigned long long rest = tenths < 0 ? -(unsigned long long)tenths : (unsigned long long)tenths;
  if (tenths < 0) out[len++] = '-';
  char fraction = (char)('0' + rest % 10);
  for (rest /= 10; rest > 0 || count == 0; rest /= 10) digits[count++] = (char)('0' + rest % 10);
  while (count > 0) out[len++] = digits[--count];
  if (fraction != '0') out[len++] = '.', out[len++] = fraction;
  return len;
}

/* The payload with the field replaced; false if it is no reading of ours. */
static bool converted(span payload, transform_plugin_list_u8_t *out) {
  member field;
  double fahrenheit;
  if (!json_member(payload, from, &field) || !json_number(field.value, &fahrenheit)) return false;
  double tenths = (fahrenheit - 32) * 50 / 9;
  if (!(tenths > -1e15 && tenths < 1e15)) return false;

  char number[NUMBER_MAX];
  size_t number_len = write_tenths((long long)(tenths < 0 ? tenths - 0.5 : tenths + 0.5), number);
  const uint8_t *end = payload.at + payload.len, *rest = field.value.at + field.value.len;
  /* The name stands between quotes. */
  const uint8_t *name = field.name.at, *name_end = field.name.at + field.name.len;
  struct { const void *at; size_t len; } parts[] = {
    {payload.at, (size_t)(name - payload.at)},
    {to, strlen(to)},
    {name_end, (size_t)(field.value.at - name_end)},
    {number, number_len},
    {rest, (size_t)(end - rest)},
  };
  out->len = 0;
  out->ptr = malloc(payload.len + NAME_MAX + NUMBER_MAX);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    memcpy(out->ptr + out->len, parts[i].at, parts[i].len);
    out->len += parts[i].len;
  }
  return true;
}

exports_pintle_plugin_publish_verdict_t exports_pintle_plugin_publish_on_publish(
    exports_pintle_plugin_publish_origin_t origin, uint64_t client,
    exports_pintle_plugin_publish_header_t *header, transform_plugin_list_u8_t *inline_payload) {
  (void)origin, (void)client;
  transform_plugin_list_u8_t payload;
  /* A long payload is not handed over, but asked for. */
  if (inline_payload) payload = *inline_payload;
  else pintle_plugin_message_payload(&payload);

  exports_pintle_plugin_publish_verdict_t verdict = EXPORTS_PINTLE_PLUGIN_PUBLISH_VERDICT_PASS;
  /* All of it zero: nothing changes. */
  pintle_plugin_answer_message_patch_t patch;
  memset(&patch, 0, sizeof patch);
  if (converted((span){payload.ptr, payload.len}, &patch.payload.val)) {
    patch.payload.is_some = true;
    pintle_plugin_answer_rewrite(&patch);
    verdict = EXPORTS_PINTLE_PLUGIN_PUBLISH_VERDICT_REWRITE;
  }
  pintle_plugin_answer_message_patch_free(&patch);
  /* What a hook is handed is its own. */
  exports_pintle_plugin_publish_header_free(header);
  transform_plugin_list_u8_free(&payload);
  return verdict;
}
