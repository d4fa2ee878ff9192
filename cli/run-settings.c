/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of the main job: from its own command line, or from the one recorded in a folder. */
#include "run.h"

static char *methods_help(void) {
    gsize count;
    const RmilTrainMethod *methods = rmil_methods(&count), *guided = rmil_method_reference();
    const char *unguided = rmil_method_unguided(guided)->name;
    GString *out = g_string_new("what to compare: ");
    for (gsize i = 0; i < count; i++) g_string_append_printf(out, "%s%s", i ? ", " : "", methods[i].name);
    g_string_append_printf(out, " (default: %s,%s; without annotations %s)", unguided, guided->name, unguided);
    return g_string_free(out, FALSE);
}

static GOptionEntry *own_entries(RunSettings *settings) {
    const GOptionEntry own[] = {
        {"methods", 0, 0, G_OPTION_ARG_STRING, &settings->methods, settings->help, "A,B,…"},
        {"repeats", 0, 0, G_OPTION_ARG_INT64, &settings->repeats,
         "Monte-Carlo splits into training and validation (default: 1; the paper: 10)", "N"},
        {"heatmaps", 0, 0, G_OPTION_ARG_INT64, &settings->heatmaps,
         "number of test slides to draw, besides every mistake (default: 12; 0: none)", "N"},
        {"partial", 0, 0, G_OPTION_ARG_NONE, &settings->partial,
         "outlines leave out parts of lesions: use rank-both instead of rank, unless --methods is given", NULL},
        {"clean", 0, 0, G_OPTION_ARG_NONE, &settings->clean, "remove earlier trainings that are not part of this run", NULL},
        {0},
    };
    return g_memdup2(own, sizeof own);
}

void run_settings_init(RunSettings *settings) {
    *settings = (RunSettings){.repeats = 1, .heatmaps = 12, .help = methods_help()};
    rmil_prepare_options_init(&settings->preparation);
    rmil_train_options_init(&settings->training);
    const CliGroup groups[] = {{"Output", prepare_output_entries(&settings->folder)},
                               {"The table", reading_entries(&settings->reading, TRUE)},
                               {"The run", own_entries(settings)},
                               {"Tiles", prepare_tile_entries(&settings->preparation)},
                               {"Features", prepare_encode_entries(&settings->preparation)},
                               {"Annotations", prepare_label_entries(&settings->preparation)},
                               {"Training", train_entries(&settings->training)},
                               {"The report", report_entries(&settings->report)}};
    G_STATIC_ASSERT(G_N_ELEMENTS(groups) + 1 == G_N_ELEMENTS(settings->groups));
    for (gsize i = 0; i < G_N_ELEMENTS(groups); i++) settings->groups[i] = groups[i];
}

void run_settings_clear(RunSettings *settings) {
    for (const CliGroup *group = settings->groups; group->entries; group++) g_free((gpointer)group->entries);
    rmil_prepare_options_clear(&settings->preparation);
    rmil_train_options_clear(&settings->training);
    reading_clear(&settings->reading);
    report_clear(&settings->report);
    g_free(settings->folder);
    g_free(settings->methods);
    g_free(settings->help);
}
