/* What a trained model is given as on the command line. */
#ifndef RMIL_CLI_MODELS_H
#define RMIL_CLI_MODELS_H

#include "prepare.h"

typedef struct {
    GPtrArray *list;    /* RmilModel, at least one, all of one dim */
    GPtrArray *folders; /* char *, where each lies */
    char *title;        /* "rank, mean of 5 models" */
    gboolean alone;     /* a model file, which does not say how features are made */
    JsonObject *info;   /* run.json of the first; NULL for a model file */
} Models;
/* run: a model file; the folder of a training; the folder of a run or of one of its methods, of which all finished trainings (of
 * a run those of the method that its report quotes) are taken; planned ones that are not finished are said. Nothing to clear on failure. */
gboolean models_load(Models *models, Cli *cli, const char *run, GError **error);
void models_clear(Models *models);

#endif
