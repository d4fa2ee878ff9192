/* SPDX-License-Identifier: Apache-2.0 */
/* Which column of a cohort table means what. A name that differs only in case, blanks, "_" and "-" is accepted. A similar one (plural,
 * synonym, typing error) is only reported, since it may mean something else. */
#include "cohort-private.h"

#include <string.h>

/* Other names in use; the first is accepted, the rest are only reported. All as fold() gives them. */
static const struct {
    const char *known, *taken, *said[12]; /* NULL-terminated */
} words[] = {
    {"patient", "patientid", {"case", "caseid", "subject", "subjectid", "participant", "participantid", "donor", "donorid"}},
    {"label", NULL, {"class", "target", "diagnosis", "groundtruth", "outcome", "labelid", "y"}},
    {"split", NULL, {"set", "fold", "partition", "subset"}},
    {"annotation", NULL, {"mask", "outline", "xml", "geojson", "roi", "annotationfile", "annotationpath"}},
    {"slide", "slidepath", {NULL}},
    {"tissue", "tissuepath", {"tissuemask", "tissuegeojson", "contours", "segmentation"}},
    {"features", "featurespath", {NULL}},
    {"id", NULL, {"slideid", "imageid"}},
    {"mpp", NULL, {"resolution", "micronsperpixel", "umperpixel", "pixelsize"}},
    {"time",
     NULL,
     {"survivaltime", "ostime", "osmonths", "osdays", "pfstime", "dfstime", "followuptime", "timetoevent", "survivalmonths",
      "survivaldays"}},
    {"event", NULL, {"status", "vitalstatus", "osstatus", "osevent", "pfsevent", "censored", "censorship", "death", "deceased"}},
    {"value", NULL, {"score", "regressiontarget"}},
};

/* Only letters, in lower case, and digits. Free with g_free. */
static char *fold(const char *name) {
    g_autofree char *plain = g_utf8_normalize(name, -1, G_NORMALIZE_ALL_COMPOSE), *folded = g_utf8_casefold(plain ? plain : name, -1);
    GString *out = g_string_new(NULL);
    for (const char *at = folded; *at; at = g_utf8_next_char(at))
        if (g_unichar_isalnum(g_utf8_get_char(at))) g_string_append_unichar(out, g_utf8_get_char(at));
    return g_string_free(out, FALSE);
}

/* Number of letters to insert, delete, replace or swap with their neighbour (optimal string alignment). */
static int slips(const char *a, const char *b) {
    enum { LONGEST = 16 };
    const int n = (int)strlen(a), m = (int)strlen(b);
    int cost[LONGEST + 1][LONGEST + 1];
    if (n > LONGEST || m > LONGEST) return LONGEST;
    for (int i = 0; i <= n; i++)
        for (int j = 0; j <= m; j++) {
            cost[i][j] = i == 0   ? j
                         : j == 0 ? i
                                  : MIN(MIN(cost[i - 1][j], cost[i][j - 1]) + 1, cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) cost[i][j] = MIN(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    return cost[n][m];
}

static gboolean other_word(const char *known, const char *folded, gboolean taken) {
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        if (strcmp(words[i].known, known) != 0) continue;
        if (taken) return g_strcmp0(words[i].taken, folded) == 0;
        return g_strv_contains(words[i].said, folded);
    }
    return FALSE;
}

static gboolean same(const char *known, const char *folded) {
    g_autofree char *wanted = fold(known);
    return strcmp(wanted, folded) == 0 || other_word(known, folded, TRUE);
}

/* Words so common that a similar one is more likely another word than a typing error: "tile", "size", "even". */
static gboolean is_common(const char *known) {
    static const char *const common[] = {"site", "time", "event", "value", NULL};
    return g_strv_contains(common, known);
}

/* Similar to a known name, but not equal. */
static gboolean near(const char *known, const char *folded) {
    g_autofree char *wanted = fold(known);
    if (is_common(known)) return other_word(known, folded, FALSE);
    const int length = (int)strlen(wanted), off = slips(wanted, folded);
    return other_word(known, folded, FALSE) || (length > 3 && off <= (length > 6 ? 2 : 1));
}

/* Accepts a column whose name equals a known one except for case, blanks and the like. */
static gboolean take_column(RmilCohort *cohort, int column, const char *const *known, int *columns, GPtrArray *warnings, GError **error) {
    const char *name = rmil_table_name(cohort->table, column);
    g_autofree char *folded = fold(name);
    for (int k = 0; known[k]; k++) {
        if (!same(known[k], folded)) continue;
        const char *other = columns[k] < 0 ? NULL : rmil_table_name(cohort->table, columns[k]);
        if (other && strcmp(other, known[k]) != 0)
            return rmil_fail(error, RMIL_ERROR_FORMAT,
                             "%s: line 1: the columns \"%s\" and \"%s\" could both be %s: rename the right "
                             "one to that",
                             cohort->path, other, name, known[k]);
        g_ptr_array_add(warnings, other ? g_strdup_printf("%s: column \"%.60s\" is not used, because there is a column %s", cohort->path,
                                                          name, known[k])
                                        : g_strdup_printf("%s: column \"%.60s\" is taken as %s", cohort->path, name, known[k]));
        if (!other) {
            columns[k] = column;
            cohort->meaning[column] = known[k];
        }
        return TRUE;
    }
    return TRUE;
}

static gboolean means(const RmilCohort *cohort, const char *known) {
    for (int c = 0; c < rmil_table_columns(cohort->table); c++)
        if (g_strcmp0(cohort->meaning[c], known) == 0) return TRUE;
    return FALSE;
}

/* One target is enough: with a label, no times are missing. */
static gboolean is_settled(const RmilCohort *cohort, const char *known) {
    const gboolean label = means(cohort, "label"), time = means(cohort, "time"), event = means(cohort, "event"),
                   value = means(cohort, "value");
    if (strcmp(known, "time") == 0 || strcmp(known, "event") == 0) return label || value;
    if (strcmp(known, "value") == 0) return label || time || event;
    return strcmp(known, "label") == 0 && ((time && event) || value);
}

static void say_near(const RmilCohort *cohort, int column, const char *const *known, const int *columns, GPtrArray *warnings) {
    const char *name = rmil_table_name(cohort->table, column);
    g_autofree char *folded = fold(name);
    for (int k = 0; known[k]; k++) {
        if (columns[k] >= 0 || !near(known[k], folded) || is_settled(cohort, known[k])) continue;
        g_ptr_array_add(warnings, g_strdup_printf("%s: column \"%.60s\" is not used: if it means the same as %s, rename it to %s",
                                                  cohort->path, name, known[k], known[k]));
        return;
    }
}

/* "tissue" may also name an organ: it counts if some cell names a file that may hold outlines or a mask. */
static void check_tissue(RmilCohort *cohort, const char *known, int *column, GPtrArray *warnings) {
    static const char *const endings[] = {".geojson", ".json", ".xml", ".png", ".tif", ".tiff", ".jpg", ".jpeg"};
    if (strcmp(known, "tissue") != 0 || *column < 0) return;
    for (int64_t i = 0; i < rmil_table_rows(cohort->table); i++) {
        g_autofree char *cell = g_ascii_strdown(rmil_table_cell(cohort->table, i, *column), -1);
        for (gsize k = 0; k < G_N_ELEMENTS(endings); k++)
            if (g_str_has_suffix(cell, endings[k])) return;
    }
    g_ptr_array_add(warnings, g_strdup_printf("%s: column \"%.60s\" is not used: a tissue column names files with outlines of tissue "
                                              "(GeoJSON, or a mask image), and none of its cells does",
                                              cohort->path, rmil_table_name(cohort->table, *column)));
    cohort->meaning[*column] = NULL;
    *column = -1;
}

gboolean rmil_cohort_columns(RmilCohort *cohort, const char *const *known, int *columns, GPtrArray *warnings, GError **error) {
    const int n = rmil_table_columns(cohort->table);
    cohort->meaning = g_new0(const char *, (gsize)n + 1);
    for (int k = 0; known[k]; k++) {
        columns[k] = rmil_table_find(cohort->table, known[k]);
        if (columns[k] >= 0) cohort->meaning[columns[k]] = known[k];
    }
    for (int c = 0; c < n; c++)
        if (!cohort->meaning[c] && *rmil_table_name(cohort->table, c) && !take_column(cohort, c, known, columns, warnings, error))
            return FALSE;
    for (int c = 0; c < n; c++)
        if (!cohort->meaning[c] && *rmil_table_name(cohort->table, c)) say_near(cohort, c, known, columns, warnings);
    for (int k = 0; known[k]; k++) check_tissue(cohort, known[k], &columns[k], warnings);
    return TRUE;
}
