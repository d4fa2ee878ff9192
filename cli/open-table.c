/* A folder or a slide where a table belongs: which command is meant. */
#include "work.h"

/* NULL: there is nothing to say beyond why the table cannot be read. */
static char *advice(const char *path) {
    if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
        g_autofree char *table = g_build_filename(path, "cohort.csv", NULL);
        if (g_file_test(table, G_FILE_TEST_EXISTS)) return g_strdup_printf("is a folder, not a table of slides: its table is %s", table);
        return g_strdup("is a folder, not a table of slides: 'rankmil cohort LAYOUT DIR' writes the table of a folder of slides");
    }
    g_autoptr(RmilSlide) slide = rmil_slide_open(path, 1, NULL);
    if (!slide) return NULL;
    return g_strdup("is a slide, not a table of slides: 'rankmil cohort LAYOUT DIR' writes the table of a folder of slides; "
                    "'rankmil predict RUN SLIDE' applies a trained model to one");
}

gboolean work_open_table(Work *work, const char *path, GError **error) {
    GError *reason = NULL;
    if (work_open(work, path, &reason)) return TRUE;
    const gboolean unread = g_error_matches(reason, RMIL_ERROR, RMIL_ERROR_FORMAT) || g_error_matches(reason, RMIL_ERROR, RMIL_ERROR_IO);
    g_autofree char *what = unread && !work->cohort ? advice(path) : NULL;
    if (what) {
        g_clear_error(&reason);
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_FORMAT, "%s: %s", path, what);
    } else {
        g_propagate_error(error, reason);
    }
    return FALSE;
}
