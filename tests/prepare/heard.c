/* SPDX-License-Identifier: Apache-2.0 */
#include "heard.h"

#include "rankmil/synth.h"

#include <string.h>

const char *const stages[STAGES] = {"tile", "label", "encode"};

Heard heard;
char *folder;

static void enter(void) { g_assert_cmpint(g_atomic_int_add(&heard.inside, 1), ==, 0); } /* never two at once */

static void leave(void) { g_atomic_int_add(&heard.inside, -1); }

static void hear_progress(gpointer user, const char *what, int64_t done, int64_t total) {
    enter();
    g_assert_cmpint(done, <=, total);
    leave();
}

static void hear_warning(gpointer user, const char *message) {
    enter();
    g_ptr_array_add(heard.warnings, g_strdup(message));
    leave();
}

static void hear_problem(gpointer user, const char *stage, const char *id, const GError *error) {
    enter();
    g_ptr_array_add(heard.problems, g_strdup_printf("%s %s: %s", stage, id ? id : "", error->message));
    leave();
}

static void hear_done(gpointer user, const char *stage, int64_t made, int64_t kept, double seconds) {
    enter();
    for (int s = 0; s < STAGES; s++)
        if (strcmp(stages[s], stage) == 0) {
            heard.made[s] = made;
            heard.kept[s] = kept;
        }
    leave();
}

const RmilMonitor monitor = {.progress = hear_progress, .warn = hear_warning, .problem = hear_problem, .done = hear_done};

void forget(void) {
    g_clear_pointer(&heard.problems, g_ptr_array_unref);
    g_clear_pointer(&heard.warnings, g_ptr_array_unref);
    heard.problems = g_ptr_array_new_with_free_func(g_free);
    heard.warnings = g_ptr_array_new_with_free_func(g_free);
    for (int s = 0; s < STAGES; s++) heard.made[s] = heard.kept[s] = -1;
}

gboolean said(const GPtrArray *lines, const char *part) {
    for (guint i = 0; i < lines->len; i++)
        if (strstr(lines->pdata[i], part)) return TRUE;
    return FALSE;
}

void expect_stages(const char *expected) {
    g_autoptr(GString) found = g_string_new(NULL);
    for (int s = 0; s < STAGES; s++)
        g_string_append_printf(found, "%s%" G_GINT64_FORMAT "+%" G_GINT64_FORMAT, s ? " " : "", heard.made[s], heard.kept[s]);
    g_assert_cmpstr(found->str, ==, expected);
}

/* -- the cohort ---------------------------------------------------------------------------------------------------------------- */
void make_cohort(void) {
    RmilSynthOptions options;
    rmil_synth_options_init(&options);
    options.slides = 3;
    options.width = 1300;
    options.height = 1100;
    options.positive = 0.67;
    options.seed = 3;
    GError *error = NULL;
    folder = test_folder();
    g_autofree char *synth = g_build_filename(folder, "synth", NULL);
    g_assert_true(rmil_synth_write(synth, &options, NULL, &error));
    g_autofree char *made = g_build_filename(synth, "cohort.csv", NULL), *broken = test_file(folder, "broken.svs", "no slide");
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(made, &error);
    g_assert_no_error(error);
    g_autoptr(GString) table = g_string_new("id,slide,label,annotation,stain\n");
    g_string_append_printf(table, "broken,%s,0,,HE\n", broken);
    for (int64_t i = 0; i < cohort->count; i++)
        g_string_append_printf(table, "%s,%s,%d,%s,HE\n", cohort->rows[i].id, cohort->rows[i].slide, cohort->rows[i].target.label,
                               cohort->rows[i].annotation ? cohort->rows[i].annotation : "");
    g_autofree char *path = test_file(folder, "cohort.csv", table->str);
}

char *table_path(void) { return g_build_filename(folder, "cohort.csv", NULL); }

void forget_all(void) {
    g_ptr_array_unref(heard.problems);
    g_ptr_array_unref(heard.warnings);
    g_free(folder);
}
