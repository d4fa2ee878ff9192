/* SPDX-License-Identifier: Apache-2.0 */
/* What `rankmil convert` can convert. */
#ifndef RMIL_CLI_CONVERT_H
#define RMIL_CLI_CONVERT_H

#include "train.h"

/* -- models ------------------------------------------------------------------------------------------------------------------- */
/* What a PyTorch state_dict does not contain. */
typedef struct {
    gchar *model, *guide;
    RmilTrainOptions options; /* options that a model's tensors do not determine */
    char *help[2];            /* of the first two options */
} ConvertModel;
void convert_model_init(ConvertModel *options);
void convert_model_clear(ConvertModel *options);
GOptionEntry *convert_model_entries(ConvertModel *options); /* free with g_free */
/* Decided by the names: OUT is .onnx or .safetensors, or IN .safetensors or .pth. */
gboolean convert_is_model(const char *from, const char *to);
/* Is OUT a valid name for a model file? layout: --to, or NULL. */
gboolean convert_model_name(const char *to, const char *layout);
gboolean convert_model(Cli *cli, const ConvertModel *options, const char *layout, const char *from, const char *to, GError **error);

/* -- features ----------------------------------------------------------------------------------------------------------------- */
typedef struct {
    gchar *layout, *cohort, *precision; /* NULL: not given */
    gdouble mpp, patch_size;            /* 0: not given */
    char *help;                         /* of --to */
} ConvertFeatures;
void convert_features_clear(ConvertFeatures *options);
GOptionEntry *convert_features_entries(ConvertFeatures *options); /* free with g_free */
/* One file or a folder. Files that cannot be converted are reported; FALSE only if it cannot start. */
gboolean convert_features(Cli *cli, const ConvertFeatures *options, const char *from, const char *to, GError **error);

/* -- encoders ----------------------------------------------------------------------------------------------------------------- */
GOptionEntry *convert_encoder_entries(char **encoder, char **help); /* free with g_free, as is help */
/* Weights of an encoder (or "auto") as ONNX. */
gboolean convert_encoder(Cli *cli, const char *encoder, const char *from, const char *to, GError **error);

#endif
