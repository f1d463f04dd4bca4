/* How far one word is from another. Async-signal-safe. */
#ifndef LIBREUSE_SPELLING_H
#define LIBREUSE_SPELLING_H

/* As the distance of a word that is too long to be compared. */
enum { SPELLING_FAR = 255 };

/*
 * How many letters must be added, left out, changed or exchanged with their neighbour to make one
 * word of the other; words of more than 31 letters are far from all.
 */
unsigned int spelling_distance(const char *one, const char *other);

#endif
