/* The Hub's cache as huggingface_hub lays it out: models--org--name/{refs/main, snapshots/REVISION/..., blobs/...}. Nothing is downloaded. */
#ifndef TARE_FILES_HUB_H
#define TARE_FILES_HUB_H
#include "opening.h"

bool hub_is_repository(opening *o, const char *folder);
/* The snapshot that refs/main names, or the only one. NULL with err. */
const char *hub_snapshot(opening *o, const char *repository);
/* Whether the words can be a Hub id, and the folder of its repository in the cache; NULL where it is not there. *cache: where was looked. */
bool hub_is_id(const char *words);
const char *hub_repository(opening *o, const char *id, const char **cache);
/* Of a folder's real path: its revision and the folder of the blobs that its files are links to; NULL where it is no snapshot. */
const char *hub_revision(opening *o, const char *real, const char **blobs);
#endif
