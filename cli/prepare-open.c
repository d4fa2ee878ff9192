/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a work on the user's table, and reports what it made. */
#include "prepare.h"

/* A folder or a slide given instead of a table: says which command is meant. NULL: nothing to add to the reason why the table cannot be
 * read. */
static char *advice(const char *path) {
    if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
        g_autofree char *table = g_build_filename(path, "cohort.csv", NULL);
        if (g_file_test(table, G_FILE_TEST_EXISTS)) return g_strdup_printf("is a folder, not a table of slides: use its table %s", table);
        return g_strdup("is a folder, not a table of slides: 'rankmil cohort LAYOUT DIR' writes the table of a folder of slides");
    }
    g_autoptr(RmilSlide) slide = rmil_slide_open(path, 1, NULL);
    if (!slide) return NULL;
    return g_strdup("is a slide, not a table of slides: 'rankmil cohort LAYOUT DIR' writes the table of a folder of slides; "
                    "'rankmil predict RUN SLIDE' applies a trained model to one");
}

RmilWork *prepare_new(Cli *cli, const char *folder, RmilPrepareOptions *options, GError **error) {
    options->threads = cli->threads;
    if (folder) return rmil_work_new(folder, options, &cli->monitor, error);
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "-o DIR is required");
    return NULL;
}

RmilWork *prepare_open(Cli *cli, const char *folder, RmilPrepareOptions *options, const char *table, Reading *reading, GError **error) {
    GError *reason = NULL;
    RmilReading how;
    g_autoptr(RmilWork) work = prepare_new(cli, folder, options, error);
    if (!work || !reading_parse(reading, &how, error)) return NULL;
    if (rmil_work_read_as(work, table, &how, &reason)) {
        reading_say(cli, work->cohort);
        return g_steal_pointer(&work);
    }
    const gboolean unread = g_error_matches(reason, RMIL_ERROR, RMIL_ERROR_FORMAT) || g_error_matches(reason, RMIL_ERROR, RMIL_ERROR_IO);
    g_autofree char *what = unread ? advice(table) : NULL;
    if (what) {
        g_clear_error(&reason);
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_FORMAT, "%s: %s", table, what);
    } else {
        g_propagate_error(error, reason);
    }
    return NULL;
}

gboolean prepare_share(Cli *cli, RmilWork *work, GError **error) {
    g_autofree char *who = g_strdup_printf("rankmil %s", cli->name);
    return rmil_work_share(work, who, error);
}

char *prepare_left_out(const RmilWork *work) {
    GString *words = g_string_new(NULL);
    for (RmilLeftOut reason = RMIL_LEFT_NOTHING + 1; reason < RMIL_LEFT_REASONS; reason++)
        if (work->left_out[reason])
            g_string_append_printf(words, "%s%s %" G_GINT64_FORMAT, words->len ? ", " : "", rmil_left_out_name(reason),
                                   work->left_out[reason]);
    return g_string_free(words, words->len == 0);
}

void prepare_report(Cli *cli, const RmilWork *work) {
    if (work->tiles >= 0) json_object_set_int_member(cli->result, "tiles", work->tiles);
    g_autofree char *left_out = prepare_left_out(work);
    if (left_out) {
        cli_say(cli, "tiles left out: %s", left_out);
        json_object_set_string_member(cli->result, "tiles_left_out", left_out);
    }
    if (work->annotated_patches >= 0) json_object_set_int_member(cli->result, "annotated_patches", work->annotated_patches);
    if (!work->encoder) return;
    json_object_set_int_member(cli->result, "feature_dim", work->feature_dim);
    json_object_set_string_member(cli->result, "encoder", work->encoder);
    const char *precision = work->options.features_precision ? work->options.features_precision : "float16";
    json_object_set_string_member(cli->result, "features_precision", precision);
    cli_say(cli, "features %" G_GINT64_FORMAT " numbers per tile, stored as %s%s", work->feature_dim, precision,
            work->options.features_precision ? "" : ", existing files unchanged (--features-precision)");
}
