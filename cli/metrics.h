/* Labels and scores from a table, and their metrics as text and JSON. */
#ifndef RMIL_CLI_METRICS_H
#define RMIL_CLI_METRICS_H

#include "cli.h"

typedef struct {
    int *labels;
    double *scores;
    int64_t count, positives;
    const char *split; /* of which they are, where the table has such a column and one was asked for; borrowed */
    char *ids;         /* of all rows in their order, a line each; where there is no column id, the labels */
} Scores;
/* Rows of `split` (NULL: all) that have a label. */
gboolean scores_read(const char *path, const char *label_column, const char *score_column, const char *split, Scores *scores,
                     GError **error);
/* Fails where one of the classes is missing. */
gboolean scores_check(const Scores *scores, const char *path, GError **error);
void scores_clear(Scores *scores);
/* Prints the table of metrics with intervals and gives it as an object. */
JsonObject *scores_metrics(Cli *cli, const Scores *scores, double cut, int64_t rounds);

#endif
