/* SPDX-License-Identifier: Apache-2.0 */
/* What a trained model is given as on the command line. */
#ifndef RMIL_CLI_MODELS_H
#define RMIL_CLI_MODELS_H

#include "prepare.h"

typedef struct {
    GPtrArray *list;    /* RmilModel, at least one, all of one dim and task */
    GPtrArray *paths;   /* char *, the file of each */
    GPtrArray *folders; /* char *, where each lies; of a study's its folder */
    char *title;        /* "rank, mean of 5 models" */
    gboolean alone;     /* the first that is given is a model file, which does not say how features are made */
    gboolean studied;   /* the first is the folder of a study */
    gboolean varied;    /* one of them is of a study in which something varies */
    JsonObject *info;   /* run.json of the first that has one; of a study what it knows of that; NULL: there are model files alone */
} Models;

/* Which models of what is given. */
typedef struct {
    const char *method;      /* of a run or a study; NULL: the one that its report quotes, the study's reference */
    const char *value;       /* of what a study varies: "0.5", of two "0.001, 0.25"; NULL: nothing may vary in it */
    const char *const *with; /* further runs and model files, NULL-terminated; or NULL */
    gboolean studies;        /* is the folder of a study taken? */
} ModelsChoice;
/* run: a model file; the folder of a training; the folder of a run or of one of its methods, or of a study, of which all finished
 * trainings of one method are taken; planned ones that are not finished are said. Refused are models that do not go together: of other
 * tasks, dims or ways from slides to features, or the same one twice. Nothing to clear on failure. */
gboolean models_load(Models *models, Cli *cli, const char *run, const ModelsChoice *choice, GError **error);
void models_clear(Models *models);

/* Parts of that. One more model, that lies in `folder`; all of a study. */
gboolean models_add(Models *models, const char *path, const char *folder, GError **error);
gboolean models_add_study(Models *models, Cli *cli, const char *folder, const ModelsChoice *choice, GError **error);
/* What a folder says of how slides became features: kept, or compared with what is kept. */
gboolean models_take_info(Models *models, JsonObject *info, const char *folder, GError **error);

#endif
