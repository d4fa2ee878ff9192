/* SPDX-License-Identifier: Apache-2.0 */
/* What a training's models find of patches and lesions. */
#include "found.h"

#include <math.h>
#include <string.h>

static const char *heading(int measure) {
    return measure == RMIL_FOUND_AUROC   ? "patches of annotated positive slides"
           : measure == RMIL_FOUND_RATES ? "lesions found, by false positives per negative slide"
           : measure == RMIL_FOUND_SIZES ? "FROC score by lesion size"
                                         : NULL;
}

static void say(Cli *cli, const RmilFound *found, JsonArray *out) {
    const RmilFoundMeasure *measures = rmil_found_measures();
    for (int m = 0; m < RMIL_FOUND_COUNT; m++) {
        const RmilFound *one = &found[m];
        if (heading(m) && found[m == RMIL_FOUND_SIZES ? RMIL_FOUND_FROC : m].cases)
            cli_say(cli, "\n%s (95 %% interval: resamples of slides)", heading(m));
        if (!one->cases) continue;
        JsonObject *row = json_object_new();
        json_object_set_string_member(row, "measure", measures[m].key);
        cli_json_number(row, "value", one->mean);
        cli_json_number(row, "low", one->interval.low);
        cli_json_number(row, "high", one->interval.high);
        json_object_set_string_member(row, "interval", one->interval.method);
        json_object_set_int_member(row, measures[m].lesions ? "lesions" : "slides", one->cases);
        json_array_add_object_element(out, row);
        const int pad = MAX(0, 24 - (int)g_utf8_strlen(measures[m].name, -1));
        cli_say(cli, "  %s%*s %.4f   %.4f to %.4f   of %" G_GINT64_FORMAT " %s%s", measures[m].name, pad, "", one->mean, one->interval.low,
                one->interval.high, one->cases, measures[m].lesions ? "lesion" : "slide", one->cases == 1 ? "" : "s");
    }
}

gboolean found_report(Cli *cli, const char *folder, const GArray *predictions, RmilMeasuring how, JsonObject *out, GError **error) {
    GStringChunk *strings = g_string_chunk_new(1024);
    GArray *patches = NULL, *lesions = NULL;
    const gboolean done = rmil_run_found(folder, strings, &patches, &lesions, error);
    if (done) {
        const RmilFoundRows rows = {patches, lesions, predictions};
        RmilFound found[RMIL_FOUND_COUNT];
        rmil_found(&rows, 1, 0.95, how.rounds, how.seed, found);
        JsonArray *list = json_array_new();
        say(cli, found, list);
        json_object_set_array_member(out, "found", list);
        JsonArray *localised = json_object_has_member(out, "localisation") ? json_object_get_array_member(out, "localisation") : NULL;
        const char *missing = rmil_found_missing(&rows, 1, localised && json_array_get_length(localised) > 0);
        if (missing) json_object_set_string_member(out, "found_missing", missing);
    }
    g_clear_pointer(&patches, g_array_unref);
    g_clear_pointer(&lesions, g_array_unref);
    g_string_chunk_free(strings);
    return done;
}

void found_say_missing(Cli *cli, JsonArray *results) {
    const char *said = NULL;
    for (guint i = 0; i < json_array_get_length(results); i++) {
        const char *missing = json_object_get_string_member_with_default(json_array_get_object_element(results, i), "found_missing", NULL);
        if (missing && g_strcmp0(missing, said) != 0) cli_say(cli, "\n%s", said = missing);
    }
}
