/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run: where its slides went, and the warnings about them on the way. */
#include "report.h"
#include "task-words.h"

#include <math.h>
#include <string.h>

/* The training's rows in one set. */
static GArray *rows_of(const RmilSeedRun *seed, RmilSplit part) {
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(RmilPredictionRow));
    for (guint i = 0; i < seed->cases->len; i++) {
        const RmilPredictionRow *item = &g_array_index(seed->cases, RmilPredictionRow, i);
        if (item->part == part) g_array_append_val(rows, *item);
    }
    return rows;
}

static int unknown_of(const RmilTask *task, const GArray *rows) {
    int n = 0;
    for (guint i = 0; i < rows->len; i++) n += !rmil_target_known(task, &g_array_index(rows, RmilPredictionRow, i).target);
    return n;
}

static gboolean same_sets(const RmilSeedRun *a, const RmilSeedRun *b) {
    if (a->cases->len != b->cases->len) return FALSE;
    for (guint i = 0; i < a->cases->len; i++)
        if (g_array_index(a->cases, RmilPredictionRow, i).part != g_array_index(b->cases, RmilPredictionRow, i).part) return FALSE;
    return TRUE;
}

/* Sets of one training, one row per set. */
static void sets_table(RmilReport *report, const RmilSeedRun *seed, const char *caption) {
    const RmilTask *task = &report->summary->task;
    rmil_html_table_begin(report->out, "sets", caption);
    g_string_append(report->out,
                    "<thead><tr><th scope=\"col\">Set</th><th scope=\"col\" class=\"n\">Slides</th><th scope=\"col\">Of these</th>"
                    "<th scope=\"col\" class=\"n\">Nothing known</th></tr></thead><tbody>\n");
    static const char *const names[] = {"not in a set", "training", "validation", "test"};
    static const RmilSplit order[] = {RMIL_SPLIT_TRAIN, RMIL_SPLIT_VAL, RMIL_SPLIT_TEST, RMIL_SPLIT_NONE};
    for (gsize i = 0; i < G_N_ELEMENTS(order); i++) {
        g_autoptr(GArray) rows = rows_of(seed, order[i]);
        g_autofree char *counts = rmil_predictions_counts(rows, task, ", ");
        if (rows->len)
            rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%u</td><td>%s</td><td class=\"n\">%d</td></tr>\n",
                      names[order[i]], rows->len, counts ? counts : "–", unknown_of(task, rows));
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

/* Counts of one training's sets, as table cells. */
static char *set_cells(const RmilReport *report, const RmilSeedRun *seed) {
    GString *out = g_string_new(NULL);
    for (RmilSplit set = RMIL_SPLIT_TRAIN; set <= RMIL_SPLIT_TEST; set++) {
        g_autoptr(GArray) rows = rows_of(seed, set);
        g_autofree char *counts = rmil_predictions_counts(rows, &report->summary->task, ", ");
        if (counts) rmil_html(out, "<td class=\"n\">%s</td>", counts);
        else rmil_html(out, "<td class=\"n\">%u</td>", rows->len);
    }
    return g_string_free(out, FALSE);
}

/* Its split, or its seed. */
static char *name_of(const RmilSeedRun *seed) {
    return seed->split && *seed->split ? g_strdup(seed->split) : g_strdup_printf("%" G_GINT64_FORMAT, seed->seed);
}

/* Sets of several trainings that differ. */
static void folds_table(RmilReport *report, const RmilMethod *method) {
    const RmilMethodSummary *reference = &report->summary->methods[report->summary->reference];
    const gboolean folds = reference->tests == RMIL_TESTS_FOLDS;
    rmil_html_table_begin(report->out, "sets", folds ? "Slides by fold and set." : "Slides by seed and set.");
    rmil_html(report->out,
              "<thead><tr><th scope=\"col\">%s</th><th scope=\"col\" class=\"n\">Training</th><th scope=\"col\" "
              "class=\"n\">Validation</th><th scope=\"col\" class=\"n\">Test</th></tr></thead><tbody>\n",
              folds ? "Fold" : "Seed");
    for (guint s = 0, next; s < method->seeds->len; s = next) { /* consecutive trainings with the same numbers share a row */
        g_autofree char *cells = set_cells(report, method->seeds->pdata[s]), *first = name_of(method->seeds->pdata[s]);
        for (next = s + 1; next < method->seeds->len; next++) {
            g_autofree char *more = set_cells(report, method->seeds->pdata[next]);
            if (strcmp(more, cells) != 0) break;
        }
        g_autofree char *last = name_of(method->seeds->pdata[next - 1]);
        const gboolean many = next > s + 1;
        rmil_html(report->out, "<tr><th scope=\"row\">%s%s%s</th>", first, !many ? "" : next == s + 2 ? " and " : " to ", many ? last : "");
        g_string_append_printf(report->out, "%s</tr>\n", cells);
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

static void splits_table(RmilReport *report) {
    const RmilMethod *method = g_ptr_array_index(report->run->methods, 0);
    const RmilSeedRun *first = g_ptr_array_index(method->seeds, 0);
    gboolean same = TRUE;
    for (guint s = 1; s < method->seeds->len; s++) same = same && same_sets(first, g_ptr_array_index(method->seeds, s));
    if (same) sets_table(report, first, "Slides by set.");
    else folds_table(report, method);
}

static const char *member_or(JsonNode *object, const char *member, const char *otherwise) {
    const char *text = rmil_json_text(object, member);
    return text ? text : otherwise;
}

static void problems_table(RmilReport *report) {
    JsonNode *problems = rmil_json_get(report->run->info, "problems");
    if (!problems || !JSON_NODE_HOLDS_ARRAY(problems)) return;
    JsonArray *array = json_node_get_array(problems);
    guint n = json_array_get_length(array);
    if (n == 0) {
        g_string_append(report->out, "<p>No slide was skipped.</p>\n");
        return;
    }
    rmil_html_table_begin(report->out, "problems", "Slides skipped, and other problems.");
    g_string_append(report->out, "<thead><tr><th scope=\"col\">Slide</th><th scope=\"col\">Stage</th><th "
                                 "scope=\"col\">What happened</th></tr></thead><tbody>\n");
    for (guint i = 0; i < MIN(n, 1000u); i++) {
        JsonNode *problem = json_array_get_element(array, i);
        rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td>%s</td><td>%s</td></tr>\n", member_or(problem, "id", "–"),
                  member_or(problem, "stage", "–"), member_or(problem, "message", "–"));
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

/* The warnings given on the way (what was assumed, enlarged, left out of an outline …), again. */
static void warnings_list(RmilReport *report) {
    JsonNode *warnings = rmil_json_get(report->run->info, "warnings");
    JsonArray *array = warnings && JSON_NODE_HOLDS_ARRAY(warnings) ? json_node_get_array(warnings) : NULL;
    const guint n = array ? json_array_get_length(array) : 0;
    if (n == 0) return;
    rmil_html(report->out, "<details%s><summary>Said while this was made (%u)</summary><ul>\n", n <= 4 ? " open" : "", n);
    for (guint i = 0; i < MIN(n, 1000u); i++) {
        JsonNode *text = json_array_get_element(array, i);
        if (JSON_NODE_HOLDS_VALUE(text) && json_node_get_value_type(text) == G_TYPE_STRING)
            rmil_html(report->out, "<li>%s</li>\n", json_node_get_string(text));
    }
    g_string_append(report->out, "</ul></details>\n");
}

void rmil_report_keys(RmilReport *report, const char *name, const char *caption, JsonNode *object, const char *const *skip) {
    if (!object || !JSON_NODE_HOLDS_OBJECT(object) || json_object_get_size(json_node_get_object(object)) == 0) return;
    g_string_append(report->out, "<div class=\"keys\">");
    rmil_html_table_begin(report->out, name, caption);
    g_string_append(report->out, "<tbody>\n");
    rmil_html_json_rows(report->out, object, skip);
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
    g_string_append(report->out, "</div>\n");
}

/* {"0.25": 40, "0.5": 2}: slides by resolution. */
static void resolutions_table(RmilReport *report, JsonNode *mpp) {
    if (!mpp || !JSON_NODE_HOLDS_OBJECT(mpp) || json_object_get_size(json_node_get_object(mpp)) == 0) return;
    rmil_html_table_begin(report->out, "resolutions", "Resolution of the scans.");
    g_string_append(report->out, "<thead><tr><th scope=\"col\">µm per pixel</th><th scope=\"col\" "
                                 "class=\"n\">Slides</th></tr>"
                                 "</thead><tbody>\n");
    g_autoptr(GList) members = json_object_get_members(json_node_get_object(mpp));
    for (GList *m = members; m; m = m->next) {
        JsonNode *slides = json_object_get_member(json_node_get_object(mpp), m->data);
        double count = JSON_NODE_HOLDS_VALUE(slides) && json_node_get_value_type(slides) != G_TYPE_STRING ? json_node_get_double(slides)
                                                                                                          : 0;
        rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%.0f</td></tr>\n", (const char *)m->data, count);
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

/* "median 73 (12 to 140)"; NULL: it is no spread. */
static JsonNode *spread_in_words(JsonNode *spread) {
    double median, low, high;
    if (!rmil_json_number(rmil_json_get(spread, "median"), &median) || !rmil_json_number(rmil_json_get(spread, "low"), &low) ||
        !rmil_json_number(rmil_json_get(spread, "high"), &high))
        return NULL;
    g_autofree char *text = g_strdup_printf("median %.10g (%.10g to %.10g)", median, low, high);
    return json_node_init_string(json_node_alloc(), text);
}

/* The members that no other part of the page shows; rankmil's own get names for readers. */
static JsonNode *in_words(JsonNode *summary) {
    static const struct {
        const char *key, *words;
    } names[] = {{"rows", "Rows of the table"},
                 {"slides", "Slides used"},
                 {"patients", "Patients"},
                 {"tiles", "Tiles"},
                 {"tiles_per_slide", "Tiles per slide"},
                 {"tiles_per_patient", "Tiles per patient"},
                 {"tiles_left_out", "Tiles left out"},
                 {"annotated_slides", "Annotated slides"},
                 {"annotated_tiles", "Annotated tiles"},
                 {"tile_px", "Side of a tile (pixels)"},
                 {"feature_dim", "Features per tile"}};
    static const char *const shown_above[] = {"splits", "mpp", "annotated", "sets", NULL};
    JsonObject *out = json_object_new();
    g_autoptr(GList) members = summary && JSON_NODE_HOLDS_OBJECT(summary) ? json_object_get_members(json_node_get_object(summary)) : NULL;
    for (GList *m = members; m; m = m->next) {
        const char *words = m->data;
        if (g_strv_contains(shown_above, m->data)) continue;
        for (gsize k = 0; k < G_N_ELEMENTS(names); k++)
            if (strcmp(m->data, names[k].key) == 0) words = names[k].words;
        JsonNode *value = rmil_json_get(summary, m->data), *spread = spread_in_words(value);
        double patients;
        if (strcmp(m->data, "patients") == 0 && rmil_json_number(value, &patients) && patients == 0)
            json_object_set_string_member(out, words, "not given");
        else json_object_set_member(out, words, spread ? spread : json_node_copy(value));
    }
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);
    json_node_take_object(node, out);
    return node;
}

char *rmil_report_sets(const RmilReport *report) {
    JsonNode *sets = rmil_json_get(rmil_json_get(report->run->info, "cohort_summary"), "sets");
    const char *file = rmil_json_text(sets, "file");
    double folds, test, val; /* shares that were drawn; 0: the table gives the sets */
    if (file) return g_strdup_printf("The file %s names the sets.", file);
    if (rmil_json_number(rmil_json_get(sets, "folds"), &folds))
        return g_strdup_printf("Each slide is a test slide in one of %g folds.", folds);
    if (!rmil_json_number(rmil_json_get(sets, "test_share"), &test)) return NULL;
    if (!rmil_json_number(rmil_json_get(sets, "val_share"), &val)) val = NAN;
    GString *out = g_string_new(NULL);
    if (test > 0) g_string_append_printf(out, "The test slides were drawn at random, %.3g %% of all.", 100 * test);
    else g_string_append(out, "The test slides are those that the table names (column split).");
    if (val > 0) g_string_append_printf(out, " The validation slides were drawn at random, %.3g %% of the others.", 100 * val);
    else if (val == 0)
        g_string_append(out, test > 0 ? " The validation slides are those that the table names (column split)."
                                      : " It names the validation slides, too.");
    if (test > 0 || val > 0)
        g_string_append(out, " A draw keeps a patient’s slides together and, as far as that allows, the shares of the classes.");
    return g_string_free(out, FALSE);
}

gboolean rmil_report_cohort(RmilReport *report, GError **error) {
    g_string_append(report->out, "<section id=\"cohort\"><h2>Cohort</h2>\n");
    const char *cohort = rmil_json_text(report->run->info, "cohort");
    if (cohort) rmil_html(report->out, "<p>Table of slides: <code>%s</code></p>\n", cohort);
    if (!rmil_flow_draw(report->flow, report->run->folder, report->out, error)) return FALSE;
    g_autofree char *sets = rmil_report_sets(report);
    if (sets) rmil_html(report->out, "<p>%s</p>\n", sets);
    splits_table(report);
    JsonNode *summary = rmil_json_get(report->run->info, "cohort_summary");
    g_autoptr(JsonNode) worded = in_words(summary);
    rmil_report_keys(report, "cohort", "The cohort.", worded, NULL);
    resolutions_table(report, rmil_json_get(summary, "mpp"));
    problems_table(report);
    warnings_list(report);
    g_string_append(report->out, "</section>\n");
    return TRUE;
}
