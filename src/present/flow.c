/* SPDX-License-Identifier: Apache-2.0 */
/* Where slides and patients went: from the table to training, validation and test, and what was left out on the way. */
#include "report.h"

#include <string.h>

/* Stages whose problems leave a slide out, in the words of the figure. */
static const struct {
    const char *stage, *words;
} stages[] = {{"tile", "could not be tiled"},
              {"label", "had unreadable annotations"},
              {"encode", "could not be encoded"},
              {"load", "had unreadable features"}};

static int64_t whole_or(JsonNode *object, const char *member, int64_t otherwise) {
    int64_t value;
    JsonNode *node = rmil_json_get(object, member);
    return node && rmil_json_whole(node, &value) ? value : otherwise;
}

/* -- why slides are not there ------------------------------------------------------------------------------------------------- */
static void add_reasons(const RmilReport *report, RmilFlow *flow) {
    JsonArray *problems = rmil_json_array(rmil_json_get(report->run->info, "problems"));
    int64_t told = 0;
    for (gsize k = 0; k < G_N_ELEMENTS(stages); k++) {
        g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
        for (guint i = 0; problems && i < json_array_get_length(problems); i++) {
            JsonNode *problem = json_array_get_element(problems, i);
            const char *stage = rmil_json_text(problem, "stage"), *id = rmil_json_text(problem, "id");
            if (stage && id && strcmp(stage, stages[k].stage) == 0) g_hash_table_add(ids, (gpointer)id);
        }
        const guint n = g_hash_table_size(ids);
        told += n;
        if (n) g_ptr_array_add(flow->reasons, g_strdup_printf("%u %s", n, stages[k].words));
    }
    const int64_t left = flow->given - flow->usable - told;
    if (flow->given >= 0 && flow->usable >= 0 && left > 0)
        g_ptr_array_add(flow->reasons, g_strdup_printf("%" G_GINT64_FORMAT " left out for other reasons", left));
}

/* -- annotations ---------------------------------------------------------------------------------------------------------------- */
/* Ids of annotated slides. NULL: not known. */
static GHashTable *annotated_ids(const RmilReport *report) {
    JsonArray *ids = rmil_json_array(rmil_json_get(rmil_json_get(report->run->info, "cohort_summary"), "annotated"));
    if (!ids && !report->table) return NULL;
    GHashTable *out = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; ids && i < json_array_get_length(ids); i++) {
        const char *id = rmil_json_string(json_array_get_element(ids, i));
        if (id) g_hash_table_add(out, (gpointer)id);
    }
    for (int64_t i = 0; !ids && i < report->table->count; i++)
        if (report->table->rows[i].annotation || report->table->rows[i].patch_labels) g_hash_table_add(out, report->table->rows[i].id);
    return out;
}

/* With two classes, a patient with a positive slide is positive; otherwise a patient's slides must agree. */
static char *count_patients(const GArray *rows, const RmilTask *task) {
    g_autofree int64_t *groups = rmil_predictions_patients(rows);
    if (task->kind != RMIL_TASK_CLASSES || !groups) return NULL;
    g_autoptr(GArray) patients = rmil_predictions_by_patient(rows, task, RMIL_POOL_MEAN);
    g_autoptr(GHashTable) label_of = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < patients->len; i++) {
        const RmilPredictionRow *row = &g_array_index(patients, RmilPredictionRow, i);
        g_hash_table_insert(label_of, (gpointer)row->slide, GINT_TO_POINTER(row->target.label));
    }
    for (guint i = 0; i < rows->len; i++) {
        const RmilPredictionRow *row = &g_array_index(rows, RmilPredictionRow, i);
        if (!row->patient || !rmil_target_known(task, &row->target)) return NULL;
        if (task->classes > 2 && GPOINTER_TO_INT(g_hash_table_lookup(label_of, row->patient)) != row->target.label) return NULL;
    }
    return rmil_predictions_counts(patients, task, ", ");
}

/* -- sets ------------------------------------------------------------------------------------------------------------------------- */
/* Adds one box of the figure, from the rows of the method's trainings; each slide counts once. */
static void add_set(const RmilReport *report, RmilFlow *flow, GHashTable *annotated, const char *title, gboolean (*belongs)(guint sets)) {
    const RmilMethod *method = rmil_report_reference(report)->method;
    g_autoptr(GHashTable) sets = g_hash_table_new(g_str_hash, g_str_equal), patients = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(RmilPredictionRow));
    for (guint s = 0; s < method->seeds->len; s++) {
        const GArray *cases = ((const RmilSeedRun *)method->seeds->pdata[s])->cases;
        for (guint i = 0; i < cases->len; i++) {
            const RmilPredictionRow *row = &g_array_index(cases, RmilPredictionRow, i);
            const guint before = GPOINTER_TO_UINT(g_hash_table_lookup(sets, row->slide));
            g_hash_table_insert(sets, (gpointer)row->slide, GUINT_TO_POINTER(before | 1u << row->part));
            if (!before) g_array_append_val(rows, *row);
        }
    }
    RmilFlowSet set = {.title = title, .annotated = annotated ? 0 : -1};
    for (guint i = 0; i < rows->len;) {
        const RmilPredictionRow *row = &g_array_index(rows, RmilPredictionRow, i);
        if (!belongs(GPOINTER_TO_UINT(g_hash_table_lookup(sets, row->slide)))) {
            g_array_remove_index(rows, i);
            continue;
        }
        if (row->patient) g_hash_table_add(patients, (gpointer)row->patient);
        if (annotated && g_hash_table_contains(annotated, row->slide)) set.annotated++;
        i++;
    }
    if (!rows->len) return;
    set.slides = rows->len;
    set.patients = g_hash_table_size(patients);
    set.counts = rmil_predictions_counts(rows, &report->summary->task, ", ");
    set.patient_counts = count_patients(rows, &report->summary->task);
    flow->sets[flow->n++] = set;
}

enum { NOWHERE = 1u << RMIL_SPLIT_NONE, TRAIN = 1u << RMIL_SPLIT_TRAIN, VAL = 1u << RMIL_SPLIT_VAL, TEST = 1u << RMIL_SPLIT_TEST };
static gboolean is_train(guint sets) { return sets == TRAIN; }
static gboolean is_val(guint sets) { return sets == VAL; }
static gboolean is_development(guint sets) { return !(sets & TEST) && (sets & (TRAIN | VAL)); }
static gboolean is_test(guint sets) { return sets & TEST; }
static gboolean is_nowhere(guint sets) { return sets == NOWHERE; }

/* "38" or "37 to 38" slides that each training has in a set. */
static char *each_has(const RmilMethod *method, RmilSplit part) {
    guint low = G_MAXUINT, high = 0;
    for (guint s = 0; s < method->seeds->len; s++) {
        const GArray *cases = ((const RmilSeedRun *)method->seeds->pdata[s])->cases;
        guint n = 0;
        for (guint i = 0; i < cases->len; i++) n += g_array_index(cases, RmilPredictionRow, i).part == part;
        low = MIN(low, n), high = MAX(high, n);
    }
    return low < high ? g_strdup_printf("%u to %u", low, high) : g_strdup_printf("%u", low);
}

/* Does a slide change its set from training to training? */
static gboolean sets_move(const RmilMethod *method) {
    const RmilSeedRun *first = method->seeds->pdata[0];
    for (guint s = 1; s < method->seeds->len; s++) {
        const RmilSeedRun *other = method->seeds->pdata[s];
        if (first->cases->len != other->cases->len) return TRUE;
        for (guint i = 0; i < first->cases->len; i++)
            if (g_array_index(first->cases, RmilPredictionRow, i).part != g_array_index(other->cases, RmilPredictionRow, i).part)
                return TRUE;
    }
    return FALSE;
}

static void add_sets(const RmilReport *report, RmilFlow *flow, GHashTable *annotated) {
    const RmilMethodSummary *best = rmil_report_reference(report);
    if (!sets_move(best->method)) {
        add_set(report, flow, annotated, "Training", is_train);
        add_set(report, flow, annotated, "Validation", is_val);
        add_set(report, flow, annotated, "Test", is_test);
    } else if (best->tests == RMIL_TESTS_SAME) {
        add_set(report, flow, annotated, "Training and validation", is_development);
        add_set(report, flow, annotated, "Test", is_test);
        g_autofree char *train = each_has(best->method, RMIL_SPLIT_TRAIN), *val = each_has(best->method, RMIL_SPLIT_VAL);
        if (flow->n) flow->sets[0].drawn = g_strdup_printf("drawn %d times: %s for training, %s for validation", best->seeds, train, val);
        flow->sentence = g_strdup_printf("The slides of training and validation were split anew for each of %d trainings (%s and %s). ",
                                         best->seeds, train, val);
    } else {
        add_set(report, flow, annotated, best->tests == RMIL_TESTS_FOLDS ? "Cross-validation" : "Tested", is_test);
        add_set(report, flow, annotated, "Never tested", is_development);
        const gboolean folds = best->tests == RMIL_TESTS_FOLDS;
        flow->note = g_strdup_printf(folds ? "%d folds, each slide tested once" : "%d trainings, test sets overlap", best->seeds);
        flow->sentence = g_strdup_printf(folds ? "In %d-fold cross-validation each slide was tested once. "
                                               : "There were %d trainings, whose test sets overlap. ",
                                         best->seeds);
    }
    add_set(report, flow, annotated, "In no set", is_nowhere);
}

RmilFlow *rmil_flow_new(const RmilReport *report) {
    RmilFlow *flow = g_new0(RmilFlow, 1);
    JsonNode *summary = rmil_json_get(report->run->info, "cohort_summary");
    g_autoptr(GHashTable) annotated = annotated_ids(report);
    flow->usable = whole_or(summary, "slides", -1);
    flow->given = whole_or(summary, "rows", flow->usable);
    flow->annotated = whole_or(summary, "annotated_slides", annotated ? (int64_t)g_hash_table_size(annotated) : -1);
    flow->patients = whole_or(summary, "patients", 0);
    flow->reasons = g_ptr_array_new_with_free_func(g_free);
    add_reasons(report, flow);
    add_sets(report, flow, annotated);
    return flow;
}

void rmil_flow_free(RmilFlow *flow) {
    if (!flow) return;
    for (int k = 0; k < flow->n; k++) {
        g_free(flow->sets[k].counts);
        g_free(flow->sets[k].patient_counts);
        g_free(flow->sets[k].drawn);
    }
    g_ptr_array_unref(flow->reasons);
    g_free(flow->note);
    g_free(flow->sentence);
    g_free(flow);
}

static void say_counts(GString *out, const char *counts) {
    if (counts) g_string_append_printf(out, " (%s)", counts);
}

char *rmil_flow_words(const RmilFlow *flow) {
    GString *out = g_string_new(NULL);
    for (int k = 0; k < flow->n; k++) {
        const RmilFlowSet *set = &flow->sets[k];
        g_string_append_printf(out, "%s%s: %" G_GINT64_FORMAT " %s", k ? "; " : "", set->title, set->slides,
                               set->slides == 1 ? "slide" : "slides");
        say_counts(out, set->counts);
        if (set->patients)
            g_string_append_printf(out, " of %" G_GINT64_FORMAT " %s", set->patients, set->patients == 1 ? "patient" : "patients");
        say_counts(out, set->patient_counts);
    }
    return g_string_free(out, FALSE);
}

/* -- the figure ------------------------------------------------------------------------------------------------------------------- */
enum { WIDE = 460, GAP = 16, HALF = (WIDE - 2 - GAP) / 2, ROOM = 12, LINE = 19, LETTER = 14 }; /* readable on a telephone */

/* Adds a line, broken between words if it is too long; bold letters are wider. */
static int put_line(GString *svg, int x, int y, int width, const char *line, gboolean bold) {
    const glong most = (glong)((width - 2 * ROOM) / ((bold ? 0.6 : 0.54) * LETTER));
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    int lines = 0;
    for (int k = 0; words[k];) {
        g_autoptr(GString) part = g_string_new(words[k++]);
        while (words[k] && g_utf8_strlen(part->str, -1) + 1 + g_utf8_strlen(words[k], -1) <= most)
            g_string_append_printf(part, " %s", words[k++]);
        g_string_append_printf(svg, "<text x=\"%d\" y=\"%d\" font-size=\"%d\"%s fill=\"#1b2430\">", x + ROOM,
                               y + ROOM + 11 + lines++ * LINE, LETTER, bold ? " font-weight=\"600\"" : "");
        rmil_html(svg, "%s</text>\n", part->str);
    }
    return lines;
}

/* Adds a box of lines, the first bold; returns its height. */
static int box(GString *svg, GString *words, int x, int y, int width, char **lines) {
    g_autoptr(GString) text = g_string_new(NULL);
    int n = 0;
    for (int k = 0; lines[k]; k++) {
        n += put_line(text, x, y + n * LINE, width, lines[k], k == 0);
        g_string_append_printf(words, "%s%s", k ? ", " : words->len ? "; " : "", lines[k]);
    }
    const int height = 2 * ROOM + LINE * n - 4;
    g_string_append_printf(svg, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\" fill=\"#f5f7fa\" stroke=\"#aab4c0\"/>\n", x, y,
                           width, height);
    g_string_append(svg, text->str);
    return height;
}

static void arrow(GString *svg, int x0, int y0, int x1, int y1) {
    const gboolean down = x0 == x1;
    g_string_append_printf(
        svg, "<path d=\"M%d %dL%d %d\" stroke=\"#55606e\" fill=\"none\"/><path d=\"M%d %dl%d %dl%d %dz\" fill=\"#55606e\"/>\n", x0, y0, x1,
        y1, x1, y1, down ? -4 : -7, down ? -7 : -4, down ? 8 : 0, down ? 0 : 8);
}

static char *slides_of(int64_t slides, int64_t patients) {
    g_autofree char *of = patients ? g_strdup_printf(" of %" G_GINT64_FORMAT " patients", patients) : g_strdup("");
    return g_strdup_printf("%" G_GINT64_FORMAT " slides%s", slides, of);
}

/* A line for each class; a single box is wide enough for all in one. */
static void add_counts(GStrvBuilder *lines, const RmilFlow *flow, const char *counts) {
    if (!counts) return;
    g_auto(GStrv) parts = g_strsplit(counts, ", ", flow->n == 1 ? 1 : -1);
    g_strv_builder_addv(lines, (const char **)parts);
}

static void set_boxes(const RmilFlow *flow, GString *svg, GString *words, int y, int *bottom) {
    const int width = (WIDE - 2 - GAP * (flow->n - 1)) / flow->n, trunk = 1 + HALF / 2, last = WIDE - 1 - width + width / 2;
    g_string_append_printf(svg, "<path d=\"M%d %dH%d\" stroke=\"#55606e\"/>\n", MIN(trunk, 1 + width / 2), y, MAX(trunk, last));
    for (int k = 0; k < flow->n; k++) {
        const RmilFlowSet *set = &flow->sets[k];
        const int x = 1 + k * (width + GAP);
        g_autoptr(GStrvBuilder) lines = g_strv_builder_new();
        g_autofree char *slides = g_strdup_printf("%" G_GINT64_FORMAT " slides", set->slides),
                        *patients = set->patients ? g_strdup_printf("%" G_GINT64_FORMAT " patients", set->patients) : NULL,
                        *marked = set->annotated >= 0 ? g_strdup_printf("%" G_GINT64_FORMAT " annotated", set->annotated) : NULL;
        g_strv_builder_add(lines, set->title);
        g_strv_builder_add(lines, slides);
        add_counts(lines, flow, set->counts);
        if (marked) g_strv_builder_add(lines, marked);
        if (patients) g_strv_builder_add(lines, patients);
        add_counts(lines, flow, set->patient_counts);
        if (set->drawn) g_strv_builder_add(lines, set->drawn);
        g_auto(GStrv) all = g_strv_builder_end(lines);
        arrow(svg, x + width / 2, y, x + width / 2, y + 24);
        const int height = box(svg, words, x, y + 24, width, all);
        *bottom = MAX(*bottom, y + 24 + height);
    }
}

gboolean rmil_flow_draw(const RmilFlow *flow, const char *folder, GString *out, GError **error) {
    if (!flow->n) return TRUE;
    g_autoptr(GString) svg = g_string_new(NULL), words = g_string_new(NULL);
    int y = 1, bottom = 0;
    if (flow->given >= 0) {
        g_autofree char *given = g_strdup_printf("%" G_GINT64_FORMAT " slides in the table", flow->given);
        char *lines[] = {given, NULL};
        y += box(svg, words, 1, y, HALF, lines);
        if (flow->reasons->len) {
            g_autoptr(GStrvBuilder) all = g_strv_builder_new();
            g_strv_builder_add(all, "Left out");
            for (guint i = 0; i < flow->reasons->len; i++) g_strv_builder_add(all, flow->reasons->pdata[i]);
            g_auto(GStrv) left = g_strv_builder_end(all);
            arrow(svg, 1 + HALF / 2, y + 24, 1 + HALF + GAP, y + 24);
            const int height = box(svg, words, 1 + HALF + GAP, y + 4, HALF, left);
            arrow(svg, 1 + HALF / 2, y, 1 + HALF / 2, y + height + 20);
            y += height + 20;
        } else {
            arrow(svg, 1 + HALF / 2, y, 1 + HALF / 2, y + 30);
            y += 30;
        }
    }
    if (flow->usable >= 0 || flow->note) {
        g_autofree char *slides = slides_of(flow->usable, flow->patients), *usable = g_strconcat(slides, " used", NULL),
                        *marked = flow->annotated >= 0 ? g_strdup_printf("%" G_GINT64_FORMAT " annotated", flow->annotated) : NULL;
        char *lines[4] = {NULL};
        int n = 0;
        if (flow->usable >= 0) lines[n++] = usable;
        if (marked) lines[n++] = marked;
        if (flow->note) lines[n++] = flow->note;
        y += box(svg, words, 1, y, HALF, lines);
        g_string_append_printf(svg, "<path d=\"M%d %dv24\" stroke=\"#55606e\"/>\n", 1 + HALF / 2, y);
        y += 24;
    }
    set_boxes(flow, svg, words, y, &bottom);
    g_autofree char *file = g_build_filename(folder, "figures", "flow.svg", NULL);
    g_autofree char *whole = g_strdup_printf(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
        "font-family=\"sans-serif\"><rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n%s</svg>\n",
        WIDE, bottom + 2, WIDE, bottom + 2, svg->str);
    if (!rmil_file_write(file, whole, strlen(whole), error)) return FALSE;
    g_string_append_printf(out, "<figure class=\"plot wide\"><svg role=\"img\" viewBox=\"0 0 %d %d\"", WIDE, bottom + 2);
    rmil_html(out, " aria-label=\"%s\">", words->str);
    g_string_append(out, svg->str);
    rmil_html(out, "</svg><figcaption>Flow of slides and patients.%s</figcaption></figure>\n",
              flow->reasons->len ? " What was wrong with each slide that was left out is told below." : "");
    return TRUE;
}
