/* SPDX-License-Identifier: Apache-2.0 */
/* The splits of a cohort for repeated training. */
#include "cohort-private.h"

#include <string.h>

static void clear_repeat(gpointer data) {
    RmilRepeat *repeat = data;
    g_free(repeat->name);
    g_free(repeat->splits);
}

GArray *rmil_repeats_new(void) {
    GArray *repeats = g_array_new(FALSE, TRUE, sizeof(RmilRepeat));
    g_array_set_clear_func(repeats, clear_repeat);
    return repeats;
}

GArray *rmil_repeats_read(const RmilCohort *cohort, const char *path, GError **error) {
    g_autoptr(RmilSplitTable) table = rmil_split_table_read(path, cohort, error);
    if (!table) return NULL;
    GArray *repeats = rmil_repeats_new();
    for (int64_t j = 0; j < table->count; j++) {
        const char *name = table->names[j], *digits = name + strlen(name);
        gint64 number; /* rejects a missing number, or one too long for a seed */
        while (digits > name && g_ascii_isdigit(digits[-1])) digits--;
        RmilRepeat repeat = {.name = g_strdup(name),
                             .seed = g_ascii_string_to_signed(digits, 10, 0, G_MAXINT64, &number, NULL) ? number : j,
                             .splits = g_memdup2(table->splits + j * table->rows, (gsize)table->rows * sizeof(RmilSplit))};
        g_array_append_val(repeats, repeat);
    }
    return repeats;
}

GArray *rmil_repeats_draw(const RmilCohort *cohort, double test, double val, const int64_t *seeds, int64_t count, GError **error) {
    g_autoptr(GArray) repeats = rmil_repeats_new();
    for (int64_t r = 0; r < count; r++) {
        RmilRepeat repeat = {.name = g_strdup(""), .seed = seeds[r], .splits = g_new0(RmilSplit, cohort->count)};
        g_array_append_val(repeats, repeat);
        const RmilSplitOptions split = {.test = test, .val = val, .seed = (uint64_t)repeat.seed};
        if (!rmil_split_draw(cohort, &split, repeat.splits, error)) return NULL;
    }
    return g_steal_pointer(&repeats);
}
