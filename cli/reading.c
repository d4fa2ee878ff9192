/* SPDX-License-Identifier: Apache-2.0 */
/* How the user wants a table to be read: what is predicted, which classes, whether sites stay whole. */
#include "prepare.h"

GOptionEntry *reading_entries(Reading *reading, gboolean sets) {
    const GOptionEntry entries[] = {
        {"classes", 0, 0, G_OPTION_ARG_STRING, &reading->classes,
         "classes of the column label, in this order (default: numbers in order, words alphabetically with normal or the like first)",
         "A,B,…"},
        {"target", 0, 0, G_OPTION_ARG_STRING, &reading->target,
         "what to predict: label, survival (columns time and event) or value (default: the first that the table has)", "NAME"},
        {sets ? "by-site" : NULL, 0, 0, G_OPTION_ARG_NONE, &reading->by_site, "keep all slides of a site (column site) in one set", NULL},
        {0},
    };
    return g_memdup2(entries, sizeof entries);
}

void reading_clear(Reading *reading) {
    g_clear_pointer(&reading->classes, g_free);
    g_clear_pointer(&reading->target, g_free);
    g_clear_pointer(&reading->list, g_strfreev);
}

gboolean reading_parse(Reading *reading, RmilReading *how, GError **error) {
    *how = (RmilReading){.by_site = reading->by_site};
    if (reading->classes) {
        g_strfreev(reading->list);
        reading->list = g_strsplit(reading->classes, ",", -1);
        for (int i = 0; reading->list[i]; i++) g_strstrip(reading->list[i]);
        how->classes = (const char *const *)reading->list;
    }
    return !reading->target || rmil_target_column_parse(reading->target, &how->target, error);
}

RmilCohort *reading_cohort(Cli *cli, Reading *reading, const char *path, GError **error) {
    RmilReading how;
    RmilCohort *cohort = reading_parse(reading, &how, error) ? rmil_cohort_read_as(path, &how, error) : NULL;
    if (cohort) reading_say(cli, cohort);
    return cohort;
}

void reading_say(Cli *cli, const RmilCohort *cohort) {
    if (!cohort->notes || !cohort->notes[0]) return;
    JsonArray *notes = json_array_new();
    for (int i = 0; cohort->notes[i]; i++) {
        g_autofree char *line = cli_message(cohort->notes[i]);
        json_array_add_string_element(notes, line);
        cli_say(cli, "%s", line);
    }
    json_object_set_array_member(cli->result, "notes", notes);
}
