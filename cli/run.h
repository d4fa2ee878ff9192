/* The main job: what it plans to train, its heat maps, and the record of it all. */
#ifndef RMIL_CLI_RUN_H
#define RMIL_CLI_RUN_H

#include "train.h"

/* A training of the run. */
typedef struct {
    const RmilTrainMethod *method;
    const RmilRepeat *repeat;
    char *below;  /* its folder below the work folder: "runs/rank/0" */
    char *config; /* rmil_train_run_config */
    char *key;    /* rmil_config_key of that */
} Planned;
void planned_free(Planned *planned);

/* GPtrArray of Planned, repeats outside, methods inside; the data, methods and repeats must outlive it. */
GPtrArray *run_plan(const RmilTrainData *data, const RmilTrainOptions *options, const GPtrArray *methods, const GArray *repeats,
                    GError **error);
/* Sets aside in folder/earlier whatever below folder/runs is not of the plan, takes back what is, and says what was set aside;
 * clean: removes folder/earlier. */
gboolean run_plan_sort(Cli *cli, const char *folder, GPtrArray *plan, gboolean clean, GError **error);
/* The "runs" of run.json, which rmil_run_entries reads. */
JsonArray *run_plan_json(const GPtrArray *plan);

typedef struct {
    Cli *cli;
    Work *work;
    const RmilTrainOptions *options;
    RmilCohort *cohort; /* DIR/cohort.csv: the slides that came through the stages */
    RmilTrainData *data;
    GPtrArray *methods;        /* const RmilTrainMethod * */
    GArray *repeats;           /* RmilRepeat */
    GPtrArray *plan;           /* Planned */
    JsonObject *preprocessing; /* how slides became features; NULL: they were given, and nobody says how */
    char *command;             /* as it was given */
} Run;
/* Heat maps of at most `limit` test slides, one picture a method: the mean attention of those of its models that tested the
 * slide. Pictures of other methods and slides go. */
gboolean run_heatmaps(Run *run, int64_t limit, GError **error);
/* DIR/run.json; finished: with what only the end knows. */
gboolean run_record(const Run *run, gboolean finished, GError **error);

#endif
