/* SPDX-License-Identifier: Apache-2.0 */
/* How a trained model is given on the command line. */
#ifndef RMIL_CLI_MODELS_H
#define RMIL_CLI_MODELS_H

#include "prepare.h"

typedef struct {
    GPtrArray *list;    /* RmilModel, at least one, all of one dim and task */
    GPtrArray *paths;   /* char *, file of each */
    GPtrArray *folders; /* char *, folder of each; for a study's models the study's folder */
    char *title;        /* "rank, mean of 5 models" */
    gboolean alone;     /* the first one given is a model file, which does not say how features are made */
    gboolean studied;   /* the first one is the folder of a study */
    gboolean varied;    /* one of them is from a study in which something varies */
    JsonObject *info;   /* run.json of the first that has one; for a study the part of it that is known; NULL: only model files */
} Models;

/* Selects models. */
typedef struct {
    const char *method;      /* of a run or a study; NULL: the one that its report quotes, or the study's reference */
    const char *value;       /* of what a study varies: "0.5", for two "0.001, 0.25"; NULL: nothing may vary in it */
    const char *const *with; /* more runs and model files, NULL-terminated; or NULL */
    gboolean studies;        /* is the folder of a study accepted? */
} ModelsChoice;
/* run: a model file; the folder of a training; or the folder of a run, of one of its methods, or of a study, from which all finished
 * trainings of one method are used (unfinished ones are reported). Rejects models that do not fit together (different tasks, dims or ways
 * from slides to features), and the same model given twice. Nothing to clear on failure. */
gboolean models_load(Models *models, Cli *cli, const char *run, const ModelsChoice *choice, GError **error);
void models_clear(Models *models);

/* Parts of models_load. Adds one model, which is in `folder`; or all of a study. */
gboolean models_add(Models *models, const char *path, const char *folder, GError **error);
gboolean models_add_study(Models *models, Cli *cli, const char *folder, const ModelsChoice *choice, GError **error);
/* What a folder records about how slides became features: kept, or compared with what is kept. */
gboolean models_take_info(Models *models, JsonObject *info, const char *folder, GError **error);

#endif
