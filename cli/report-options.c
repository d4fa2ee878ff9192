/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a page: its title, and the columns whose values form subgroups. */
#include "run.h"

GOptionEntry *report_entries(ReportSettings *settings) {
    const GOptionEntry own[] = {
        {"title", 0, 0, G_OPTION_ARG_STRING, &settings->title, "title of the report (default: the cohort's name)", "TEXT"},
        {"subgroup", 0, 0, G_OPTION_ARG_STRING_ARRAY, &settings->subgroups,
         "also report results by this column of the table; may be given several times", "COLUMN"},
        {0},
    };
    return g_memdup2(own, sizeof own);
}

void report_clear(ReportSettings *settings) {
    g_clear_pointer(&settings->title, g_free);
    g_clear_pointer(&settings->subgroups, g_strfreev);
}

gboolean report_check(const ReportSettings *settings, const RmilCohort *cohort, GError **error) {
    for (int k = 0; settings->subgroups && settings->subgroups[k]; k++) {
        if (rmil_table_find(cohort->table, settings->subgroups[k]) >= 0) continue;
        g_autoptr(GString) all = g_string_new(NULL);
        for (int c = 0; c < rmil_table_columns(cohort->table); c++)
            g_string_append_printf(all, "%s%s", c ? ", " : "", rmil_table_name(cohort->table, c));
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "%s: has no column \"%s\" for --subgroup; its columns are %s", cohort->path,
                    settings->subgroups[k], all->str);
        return FALSE;
    }
    return TRUE;
}
