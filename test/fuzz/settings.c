// Settings as people write them: `key = value` from a file, a flag or the environment. The input is the key, '=', the value.
//
// Beyond not crashing: what is taken prints as something that is taken again and means the same; what is refused says why.
#include <string.h>

#include "base/assert.h"
#include "daemon/settings.h"
#include "test/support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[1024];
    if (size >= sizeof text) return 0;
    if (size) memcpy(text, data, size);
    text[size] = 0;
    char *value = strchr(text, '=');
    if (value) *value++ = 0;
    else value = text + size;
    char problem[256] = {0};
    sk_settings settings;
    sk_settings_default(&settings);
    const sk_setting *row = sk_settings_find(text);
    if (!row) {
        (void)sk_settings_nearest(text);
    } else if (sk_settings_set(&settings, row, value, problem, sizeof problem) == 0) {
        char printed[SK_SETTING_VALUE_MAX], again[SK_SETTING_VALUE_MAX];
        sk_settings_get(&settings, row, printed);
        SK_ASSERT(sk_settings_set(&settings, row, printed, problem, sizeof problem) == 0);
        sk_settings_get(&settings, row, again);
        SK_ASSERT(strcmp(printed, again) == 0);
    } else {
        SK_ASSERT(problem[0]);
    }
    problem[0] = 0;
    if (sk_settings_check(&settings, problem, sizeof problem) != 0) SK_ASSERT(problem[0]);
    sk_founder founders[SK_FOUNDERS_MAX];
    uint32_t count = 0;
    if (sk_settings_founders(value, founders, &count, problem, sizeof problem) == 0) SK_ASSERT(count <= SK_FOUNDERS_MAX);
    sk_cluster_id id;
    (void)sk_settings_cluster_id(value, &id);
    return 0;
}
