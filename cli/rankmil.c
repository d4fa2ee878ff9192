/* The rankmil command: picks the subcommand. */
#include "cli.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", "the main job: everything below in order, skipping what is done", command_run},
    {"check", "open every slide, annotation and feature file of a cohort; say what is wrong", command_check},
    {"tile", "find the tissue and lay the tile grid", command_tile},
    {"encode", "turn tiles into features", command_encode},
    {"label", "mark the patches that lie in annotations", command_label},
    {"train", "train one model on a cohort's features", command_train},
    {"predict", "apply a trained model to slides or feature files", command_predict},
    {"evaluate", "metrics of a run with intervals; localisation", command_evaluate},
    {"report", "one self-contained HTML file from a run's folder", command_report},
    {"study", "run a plan of many trainings: the paper's six experiments, or your own", command_study},
    {"metrics", "metrics of any table of labels and scores", command_metrics},
    {"compare", "Mann-Whitney U between two columns of scores", command_compare},
    {"convert", "features and models to and from other programs' files", command_convert},
    {"cohort", "write the cohort table of a data set from its own folders", command_cohort},
    {"splits", "write how a cohort is divided: Monte-Carlo splits or folds", command_splits},
    {"synth", "make a small cohort of H&E-like slides with annotations", command_synth},
};

static void print_help(FILE *out) {
    fprintf(out,
            "rankmil %s: slide classifiers whose attention follows experts' annotations\n\n"
            "usage: rankmil COMMAND [OPTIONS …]\n\n",
            rmil_version());
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\n'rankmil help COMMAND' explains one. Exit status: 0 done, 1 something failed, 2 wrong usage.\n");
}

int main(int argc, char **argv) {
    memory_begin();
    setlocale(LC_CTYPE, "C.UTF-8");
    signal(SIGXFSZ, SIG_IGN); /* a file over the size limit is an error of its write, not the end of the process */
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "help") == 0 && argc > 2) { /* help COMMAND is COMMAND --help */
        argv[1] = argv[2];
        argv[2] = (char *)"--help";
        argc = 3;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("rankmil %s\n", rmil_version());
        return 0;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    cli_print(stderr, "rankmil: there is no command \"%s\"\nSee 'rankmil --help'.\n", argv[1]);
    return 2;
}
