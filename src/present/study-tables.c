/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a study. */
#include "study-report.h"
#include "report.h"
#include "task-words.h"

#include <math.h>
#include <string.h>

#define SIGNIFICANT 0.05

int rmil_study_shown(const RmilStudyReport *study, int places[RMIL_MEASURES_MOST]) {
    int n = 0;
    for (int i = 0; i < study->n_measures; i++)
        if (study->measures[i].shown) places[n++] = i;
    return n;
}

static GPtrArray *table_list(void) { return g_ptr_array_new_with_free_func((GDestroyNotify)rmil_study_table_free); }

/* -- all comparisons ----------------------------------------------------------------------------------------------------- */
static void add_tests(GArray *tests, const RmilSummary *summary, const char *level) {
    const RmilMethodSummary *a = &summary->methods[summary->reference];
    for (int i = 0; i < summary->n_comparisons; i++) {
        const RmilComparison *c = &summary->comparisons[i];
        const RmilMethodSummary *b = &summary->methods[c->other];
        RmilStudyTest test = {
            summary, level, c,  a->tests == RMIL_TESTS_SAME && b->tests == RMIL_TESTS_SAME && a->pooled->len == b->pooled->len,
            {0},     {0},   NAN};
        g_array_append_val(tests, test);
    }
}

/* Holm over the tests' values at `from`, put at `to` (offsets into RmilStudyTest and RmilComparison). */
static void correct(GArray *tests, gsize from, gsize to, gboolean pooled_only) {
    g_autofree double *p = g_new(double, tests->len + 1), *adjusted = g_new(double, tests->len + 1);
    for (guint i = 0; i < tests->len; i++) {
        const RmilStudyTest *test = &g_array_index(tests, RmilStudyTest, i);
        p[i] = pooled_only && !test->pooled ? NAN : G_STRUCT_MEMBER(double, test->comparison, from);
    }
    rmil_holm(p, tests->len, adjusted);
    for (guint i = 0; i < tests->len; i++) G_STRUCT_MEMBER(double, &g_array_index(tests, RmilStudyTest, i), to) = adjusted[i];
}

GArray *rmil_study_all_tests(const RmilStudyReport *study) {
    GArray *tests = g_array_new(FALSE, TRUE, sizeof(RmilStudyTest));
    if (study->along_summary) {
        add_tests(tests, study->along_summary, "");
    } else {
        for (int i = 0; i < study->n_levels; i++)
            if (rmil_level_reference(study, &study->levels[i]) >= 0) add_tests(tests, study->levels[i].summary, study->levels[i].text);
    }
    for (gsize m = 0; m < (gsize)study->n_measures; m++) {
        gsize at = m * sizeof(double);
        correct(tests, G_STRUCT_OFFSET(RmilComparison, mann_whitney) + at, G_STRUCT_OFFSET(RmilStudyTest, mann_whitney) + at, FALSE);
        correct(tests, G_STRUCT_OFFSET(RmilComparison, wilcoxon) + at, G_STRUCT_OFFSET(RmilStudyTest, wilcoxon) + at, FALSE);
    }
    correct(tests, G_STRUCT_OFFSET(RmilComparison, delong), G_STRUCT_OFFSET(RmilStudyTest, delong), TRUE);
    return tests;
}

/* -- results: mean, SD, best, second best, letters ----------------------------------------------------------------------- */
/* The letter of a method in the tables' notes. */
static char letter_of(const RmilSummary *summary, int method) { return (char)('a' + MIN(method, 'z' - 'a')); }

static void add_mark(RmilTableCell *cell, char letter) {
    gsize length = strlen(cell->marks);
    if (length + 3 > sizeof cell->marks) return;
    if (length) cell->marks[length++] = ',';
    cell->marks[length++] = letter;
    cell->marks[length] = '\0';
}

/* A value gets the letter of every method that it is significantly better than, if one of the two is the reference. */
static void mark(RmilTableCell *cell, const RmilSummary *summary, int method, int metric) {
    const double sign = summary->measures[metric].lower ? -1 : 1, mean = sign * summary->methods[method].mean[metric];
    for (int other = 0; other < summary->n; other++) {
        if (method != summary->reference && other != summary->reference) continue;
        const RmilComparison *c = rmil_level_comparison(summary, method == summary->reference ? other : method);
        if (c && other != method && c->mann_whitney[metric] < SIGNIFICANT && mean > sign * summary->methods[other].mean[metric])
            add_mark(cell, letter_of(summary, other));
    }
}

static void explain_places(RmilStudyTable *table) {
    rmil_study_table_note(table, "Mean (standard deviation, n − 1) over the n trainings; bold: best, underlined: second best.");
}

/* Explains the letters in the table. */
static void explain_marks(RmilStudyTable *table, const RmilSummary *summary) {
    g_autoptr(GString) text = g_string_new(NULL);
    for (int m = 0; m < summary->n; m++) {
        gboolean used = FALSE;
        for (guint i = 0; i < table->cells->len; i++)
            used = used || strchr(g_array_index(table->cells, RmilTableCell, i).marks, letter_of(summary, m));
        if (used) g_string_append_printf(text, "%s%c: %s", text->len ? "; " : "", letter_of(summary, m), summary->methods[m].method->title);
    }
    if (text->len)
        rmil_study_table_note(
            table, "A letter: better than that one, P < .05, Mann-Whitney U over the trainings, two-sided, not corrected. %s.", text->str);
    else if (summary->n_comparisons)
        rmil_study_table_note(
            table, "No value is significantly different from that of %s (Mann-Whitney U over the trainings, two-sided, P < .05).",
            summary->methods[summary->reference].method->title);
}

/* Rows: the summary's methods; columns: measures, and on request the attention outside the lesion. */
static RmilStudyTable *by_measure(const RmilStudyReport *study, const RmilSummary *summary, const char *corner, const char *caption,
                                  gboolean elsewhere) {
    RmilStudyTable *table = rmil_study_table_new("results", corner, "%s", caption);
    int shown[RMIL_MEASURES_MOST];
    const int n_shown = rmil_study_shown(study, shown);
    for (int i = 0; i < n_shown; i++) rmil_study_table_column(table, study->measures[shown[i]].name);
    if (elsewhere) rmil_study_table_column(table, "Attention off the lesion");
    const int n_column = (int)table->columns->len;
    rmil_study_table_column(table, "n");
    int slides = 0;
    for (int m = 0; m < summary->n; m++) {
        const RmilMethodSummary *one = &summary->methods[m];
        rmil_study_table_row(table, one->method->title);
        rmil_study_table_set(table, n_column, NAN, g_strdup_printf("%d", one->seeds));
        for (int i = 0; i < n_shown; i++)
            mark(rmil_study_table_set(table, i, one->mean[shown[i]], rmil_study_mean_sd(one->mean[shown[i]], one->sd[shown[i]])), summary,
                 m, shown[i]);
        if (!elsewhere) continue;
        RmilElsewhere off = rmil_study_elsewhere(one);
        rmil_study_table_set(table, n_shown, off.mean, rmil_study_mean_sd(off.mean, off.sd_slides));
        slides = MAX(slides, off.slides);
    }
    for (int i = 0; i < n_shown; i++) rmil_study_table_rank(table, i, study->measures[shown[i]].lower);
    if (elsewhere) rmil_study_table_rank(table, n_shown, TRUE);
    explain_places(table);
    if (elsewhere)
        rmil_study_table_note(table,
                              "Attention off the lesion: sum of a slide’s attention on patches that are not annotated, mean (SD) over %d "
                              "%s test slides; lower is better.",
                              slides, rmil_task_annotated(&study->task));
    explain_marks(table, summary);
    return table;
}

/* Sign against the reference of its level; if levels are compared, against the first level. */
static const char *sign(const RmilStudyReport *study, const RmilLevel *level, const RmilMethodSummary *one, int metric) {
    const RmilSummary *s = study->along_summary ? study->along_summary : level->summary;
    const int own = study->along_summary ? (int)(level - study->levels) : (int)(one - level->summary->methods);
    const int reference = study->along_summary ? s->reference : rmil_level_reference(study, level);
    const RmilComparison *c = reference < 0 || own == reference ? NULL : rmil_level_comparison(s, own);
    if (!c || !(c->mann_whitney[metric] < SIGNIFICANT)) return "";
    return one->mean[metric] < s->methods[reference].mean[metric] ? "-" : "+";
}

static void explain_signs(RmilStudyTable *table, const RmilStudyReport *study, gboolean marked) {
    const RmilMethod *reference = NULL;
    for (guint m = 0; m < study->methods->len; m++)
        if (strcmp(((RmilMethod *)study->methods->pdata[m])->name, study->reference) == 0) reference = study->methods->pdata[m];
    const char *against = study->along_summary ? study->levels[0].text : reference ? reference->title : NULL;
    if (against && marked)
        rmil_study_table_note(table, "-: below, +: above %s%s, P < .05, Mann-Whitney U over the trainings, two-sided, not corrected.",
                              against, study->along_summary ? "" : " at the same value");
    else if (against)
        rmil_study_table_note(
            table, "No value is significantly different from that of %s (Mann-Whitney U over the trainings, two-sided, P < .05).", against);
}

/* One row: a method over the last axis; `first`: index on the first axis of a grid. TRUE: a value is marked. */
static gboolean add_levels(RmilStudyTable *table, const RmilStudyReport *study, const RmilMethod *method, guint first, const guint *columns,
                           int metric) {
    gboolean marked = FALSE;
    for (guint c = 0; c < table->columns->len; c++) {
        const RmilLevel *level = study->n_axes > 1 ? rmil_study_level(study, first, columns[c]) : rmil_study_level(study, columns[c], 0);
        const RmilMethodSummary *one = level ? rmil_level_method(level, method->name) : NULL;
        if (!one) continue;
        RmilTableCell *cell = rmil_study_table_set(table, (int)c, one->mean[metric],
                                                   rmil_study_mean_sd(one->mean[metric], one->sd[metric]));
        g_strlcpy(cell->marks, sign(study, level, one, metric), sizeof cell->marks);
        marked = marked || *cell->marks;
    }
    return marked;
}

/* Rows: methods, in a grid combined with each value of the first axis; columns: values of the last axis that have something to show. */
static RmilStudyTable *by_level(const RmilStudyReport *study, int metric) {
    g_autofree char *name = g_strdup(study->measures[metric].key);
    const gboolean grid = study->n_axes > 1;
    const int last = study->n_axes - 1;
    RmilStudyTable *table = rmil_study_table_new(name, "Method", "%s on the test slides. %s: %s.", study->measures[metric].name,
                                                 grid ? "By" : "Columns", study->axis);
    const GArray *values = study->axes[last].values;
    g_autofree guint *columns = g_new0(guint, values->len);
    for (guint c = 0; c < values->len; c++) {
        gboolean any = FALSE;
        for (int i = 0; i < study->n_levels; i++) any = any || study->levels[i].at[last] == c;
        if (!any) continue;
        g_autofree char *text = rmil_varied_spoken(&g_array_index(values, RmilVaried, c), !grid);
        columns[table->columns->len] = c;
        rmil_study_table_column(table, text);
    }
    gboolean marked = FALSE;
    for (guint m = 0; m < study->methods->len; m++)
        for (guint first = 0; first < (grid ? study->axes[0].values->len : 1); first++) {
            const RmilMethod *method = study->methods->pdata[m];
            g_autofree char *value = grid ? rmil_varied_spoken(&g_array_index(study->axes[0].values, RmilVaried, first), FALSE) : NULL;
            g_autofree char *title = g_strconcat(method->title, value ? ", " : NULL, value, NULL);
            rmil_study_table_row(table, title);
            marked = add_levels(table, study, method, first, columns, metric) || marked;
        }
    for (guint c = 0; c < table->columns->len; c++) rmil_study_table_rank(table, (int)c, study->measures[metric].lower);
    explain_places(table);
    explain_signs(table, study, marked);
    return table;
}

static gboolean has_attention(const RmilSummary *summary) {
    for (int m = 0; m < summary->n; m++)
        if (rmil_study_elsewhere(&summary->methods[m]).slides) return TRUE;
    return FALSE;
}

GPtrArray *rmil_study_result_tables(const RmilStudyReport *study) {
    GPtrArray *tables = table_list();
    const gboolean elsewhere = study->n_axes == 1 && study->axes[0].what && study->axes[0].what->elsewhere;
    if (study->along_summary && study->n_axes == 1) {
        g_autofree char *caption = g_strdup_printf("Test slides, by %c%s.", g_ascii_tolower(*study->axis), study->axis + 1);
        g_ptr_array_add(tables,
                        by_measure(study, study->along_summary, study->axis, caption, elsewhere && has_attention(study->along_summary)));
    } else if (study->n_levels == 1) {
        g_autofree char *caption = *study->levels[0].text ? g_strdup_printf("Test slides, by method (%s).", study->levels[0].text)
                                                          : g_strdup("Test slides, by method.");
        g_ptr_array_add(
            tables, by_measure(study, study->levels[0].summary, "Method", caption, elsewhere && has_attention(study->levels[0].summary)));
    } else {
        int shown[RMIL_MEASURES_MOST];
        const int n_shown = rmil_study_shown(study, shown);
        for (int i = 0; i < n_shown; i++) g_ptr_array_add(tables, by_level(study, shown[i]));
    }
    return tables;
}

/* -- tests ------------------------------------------------------------------------------------------------------------------ */
static char *p_text(double p, double corrected) {
    char raw[16], holm[16];
    if (isnan(p)) return g_strdup("–");
    return g_strdup_printf("%s (%s)", rmil_html_p(p, raw), rmil_html_p(corrected, holm));
}

static RmilStudyTable *tests_table(const RmilStudyReport *study, const GArray *tests, int metric) {
    static const char *const columns[] = {"Difference", "Mann-Whitney U", "Wilcoxon, paired"};
    const RmilStudyTest *first = &g_array_index(tests, RmilStudyTest, 0);
    g_autofree char *lower = g_strdup(study->measures[metric].key), *name = g_strconcat("tests-", lower, NULL);
    RmilStudyTable *table = rmil_study_table_new(name, "Compared with",
                                                 "%s against the others, %s: P (in brackets: corrected by Holm over the "
                                                 "%u comparisons).",
                                                 first->summary->methods[first->summary->reference].method->title,
                                                 study->measures[metric].name, tests->len);
    for (gsize i = 0; i < G_N_ELEMENTS(columns); i++) rmil_study_table_column(table, columns[i]);
    const gboolean delong = metric == 0 && study->task.classes == 2;
    if (delong) rmil_study_table_column(table, "DeLong");
    for (guint i = 0; i < tests->len; i++) {
        const RmilStudyTest *test = &g_array_index(tests, RmilStudyTest, i);
        const RmilMethodSummary *a = &test->summary->methods[test->summary->reference],
                                *b = &test->summary->methods[test->comparison->other];
        g_autofree char *title = *test->level ? g_strdup_printf("%s, %s", b->method->title, test->level) : g_strdup(b->method->title);
        double difference = a->mean[metric] - b->mean[metric];
        rmil_study_table_row(table, title);
        if (!isnan(difference))
            rmil_study_table_set(table, 0, NAN, g_strdup_printf("%s%.3f", difference < 0 ? "−" : "+", fabs(difference)));
        rmil_study_table_set(table, 1, NAN, p_text(test->comparison->mann_whitney[metric], test->mann_whitney[metric]));
        rmil_study_table_set(table, 2, NAN, p_text(test->comparison->wilcoxon[metric], test->wilcoxon[metric]));
        if (delong) rmil_study_table_set(table, 3, NAN, test->pooled ? p_text(test->comparison->delong, test->delong) : g_strdup("–"));
    }
    return table;
}

GPtrArray *rmil_study_test_tables(const RmilStudyReport *study) {
    GPtrArray *tables = table_list();
    g_autoptr(GArray) tests = rmil_study_all_tests(study);
    if (tests->len == 0) return tables;
    gboolean pooled = TRUE;
    for (guint i = 0; i < tests->len; i++) pooled = pooled && g_array_index(tests, RmilStudyTest, i).pooled;
    int shown[RMIL_MEASURES_MOST];
    const int n_shown = MIN(rmil_study_shown(study, shown), 3);
    for (int i = 0; i < n_shown; i++) {
        RmilStudyTable *table = tests_table(study, tests, shown[i]);
        if (i == 0)
            rmil_study_table_note(
                table,
                "Difference of the means. Mann-Whitney U and the Wilcoxon test compare the values of the trainings, the "
                "latter in pairs of the same split and seed: would the difference hold for other trainings?%s%s",
                study->task.classes == 2 ? " DeLong compares the predictions averaged over the trainings: would it hold for other slides?"
                                         : "",
                pooled || study->task.classes != 2 ? "" : " It needs the same test slides in every training; – means that they differ.");
        g_ptr_array_add(tables, table);
    }
    return tables;
}

/* -- averaged predictions ----------------------------------------------------------------------------------------------------- */
/* TRUE: a value is undefined although there are predictions. */
static gboolean add_pooled(RmilStudyTable *table, const RmilStudyReport *study, const RmilMethodSummary *one, const char *title) {
    gboolean undefined = FALSE;
    int shown[RMIL_MEASURES_MOST];
    const int n_shown = rmil_study_shown(study, shown);
    g_autofree char *full = g_strdup_printf("%s (%u slides%s)", title, one->pooled->len,
                                            one->tests == RMIL_TESTS_FOLDS ? ", out of fold" : "");
    rmil_study_table_row(table, full);
    for (int i = 0; i < n_shown && one->tests != RMIL_TESTS_MIXED; i++) {
        double value = one->value[shown[i]];
        const RmilInterval *interval = &one->interval[shown[i]];
        undefined = undefined || isnan(value);
        if (isnan(value)) continue;
        char text[16];
        g_autofree char *range = rmil_html_range(interval->low, interval->high);
        rmil_study_table_set(table, i, value,
                             isnan(interval->low) ? g_strdup(rmil_html_metric(value, text))
                                                  : g_strdup_printf("%s (%s)", rmil_html_metric(value, text), range));
    }
    return undefined;
}

GPtrArray *rmil_study_pooled_tables(const RmilStudyReport *study) {
    GPtrArray *tables = table_list();
    gboolean any = FALSE, all = TRUE;
    for (int i = 0; i < study->n_levels; i++)
        for (int m = 0; m < study->levels[i].summary->n; m++) {
            any = any || study->levels[i].summary->methods[m].tests != RMIL_TESTS_MIXED;
            all = all && study->levels[i].summary->methods[m].tests != RMIL_TESTS_MIXED;
        }
    if (!any) return tables;
    RmilStudyTable *table = rmil_study_table_new("pooled", study->along_summary ? study->axis : "Method",
                                                 "Test slides, %s averaged over the trainings (out of fold: each "
                                                 "slide once, by the training that tested it); in brackets the 95 %% interval.",
                                                 study->task.kind == RMIL_TASK_CLASSES ? "probabilities" : "predictions");
    int shown[RMIL_MEASURES_MOST];
    const int n_shown = rmil_study_shown(study, shown);
    gboolean patients = FALSE, undefined = FALSE;
    for (int i = 0; i < n_shown; i++) rmil_study_table_column(table, study->measures[shown[i]].name);
    for (int i = 0; i < study->n_levels; i++)
        for (int m = 0; m < study->levels[i].summary->n; m++) {
            const RmilLevel *level = &study->levels[i];
            const RmilMethodSummary *one = &level->summary->methods[m];
            g_autofree char *title = study->along_summary ? g_strdup(level->text)
                                     : *level->text       ? g_strdup_printf("%s, %s", one->method->title, level->text)
                                                          : g_strdup(one->method->title);
            g_autofree int64_t *groups = rmil_predictions_patients(one->pooled);
            patients = patients || groups;
            undefined = add_pooled(table, study, one, title) || undefined;
        }
    rmil_study_table_note(table, "The interval says how much the value would vary with other test %s. %s%s%s",
                          patients ? "patients" : "slides", rmil_interval_words(&study->task, patients),
                          study->task.classes == 2 ? " Accuracy, sensitivity and specificity at probability > 0.5." : "",
                          all ? "" : " – where trainings share some of their test slides, but not all.");
    if (undefined && study->task.kind == RMIL_TASK_SURVIVAL)
        rmil_study_table_note(table, "The integrated Brier score needs the same time bins in every training. Bins depend on the training "
                                     "set, and Cox’s loss has none.");
    g_ptr_array_add(tables, table);
    return tables;
}

/* -- localisation ------------------------------------------------------------------------------------------------------------------ */
GPtrArray *rmil_study_local_tables(const RmilStudyReport *study) {
    static const char *const names[] = {"iou", "dice", "pointing"};
    static const char *const captions[] = {"IoU of the most attended patches with the annotated ones",
                                           "Dice of the most attended patches with the annotated ones",
                                           "Pointing game: share of slides where one of the most attended patches is annotated"};
    GPtrArray *tables = table_list();
    const RmilSummary *s = study->along_summary ? study->along_summary : study->levels[study->n_levels - 1].summary;
    for (int what = 0; what < 3 && s->n_alphas; what++) {
        RmilStudyTable *table = rmil_study_table_new(
            names[what], study->along_summary ? study->axis : "Method", "%s, by α%s%s.", captions[what],
            study->along_summary || study->n_levels == 1 ? "" : "; at ",
            study->along_summary || study->n_levels == 1 ? "" : study->levels[study->n_levels - 1].text);
        for (int a = 0; a < s->n_alphas; a++) {
            g_autofree char *title = g_strdup_printf("α = %g %%", s->alphas[a]);
            rmil_study_table_column(table, title);
        }
        for (int m = 0; m < s->n; m++) {
            rmil_study_table_row(table, s->methods[m].method->title);
            for (int a = 0; a < s->n_alphas; a++) {
                const RmilLocalSummary *local = &s->locals[m * s->n_alphas + a];
                double mean = what == 0 ? local->iou : what == 1 ? local->dice : local->pointing;
                double sd = what == 0 ? local->iou_sd : what == 1 ? local->dice_sd : local->pointing_sd;
                g_autofree char *text = rmil_study_mean_sd(mean, sd);
                rmil_study_table_set(table, a, mean,
                                     what == 2 && !isnan(mean) ? g_strdup_printf("%s [%.3f–%.3f]", text, local->pointing_interval.low,
                                                                                 local->pointing_interval.high)
                                                               : g_strdup(text));
            }
        }
        for (int a = 0; a < s->n_alphas; a++) rmil_study_table_rank(table, a, FALSE);
        rmil_study_table_note(table, "Mean over slides, then mean (SD) over the trainings; bold: best, underlined: second best.%s%s%s",
                              what == 2 ? " In square brackets: " : "",
                              what == 2 ? rmil_pointing_words(&s->locals[s->reference * s->n_alphas].pointing_interval) : "",
                              what == 2 ? "." : "");
        g_ptr_array_add(tables, table);
    }
    return tables;
}
