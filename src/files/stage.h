/* The folder beside DIR in which a checkpoint is made, and how it takes DIR's place: whole or not at all.
 *
 *     .DIR.tare-partial/lock      held by the run that works here
 *     .DIR.tare-partial/journal   which tensors are complete (journal.h)
 *     .DIR.tare-partial/new/      becomes DIR
 *     .DIR.tare-partial/old/      what DIR was, where the file system cannot exchange two folders in one step
 *
 * Wherever a run is killed, DIR is the old folder or the new one. Only between the two renames of such a file system DIR is
 * absent for a moment: the next run that is asked for the same DIR puts the old one back before anything else. */
#ifndef TARE_FILES_STAGE_H
#define TARE_FILES_STAGE_H
#include "../core/error.h"

typedef struct stage {
    char *dir, *folder, *work_path; /* DIR without slashes at its end, the folder it is in, and the work folder */
    const char *base;               /* DIR's last part, in dir */
    char work_name[256];
    int parent, work, lock, fresh;  /* folders and the lock file; fresh is new/; -1: not open */
    bool force, two_renames;        /* replace DIR; do so as if folders could not be exchanged */
} stage;

/* Looks at DIR, locks the work folder and clears what a killed run left to clear; new/ and the journal stay. */
bool stage_open(stage *g, const char *dir, bool force, tare_error *err);
/* Makes new/ where it is missing and opens it; with `clear`, what is in it is removed first. */
bool stage_fresh(stage *g, bool clear, tare_error *err);
/* DIR may still be made: it is absent or, with force, may be replaced. */
bool stage_may_replace(const stage *g, tare_error *err);
/* new/ becomes DIR; what DIR was is in the work folder. Before: all in new/ has reached the disk, and the journal is gone, for after an
 * exchange new/ is the old folder. A kill between these two costs what was written, not DIR. */
bool stage_publish(stage *g, tare_error *err);
void stage_close(stage *g, bool remove); /* remove: the work folder too */

/* Records errno's error on a file or folder: "cannot VERB PATH: reason". */
void stage_failed(tare_error *err, const char *verb, const char *path, int error);
/* Calls use for every entry of the folder but . and .., until it returns false. False as well when the folder cannot be read. */
bool folder_each(int fd, bool (*use)(void *to, int fd, const char *name), void *to);
#endif
