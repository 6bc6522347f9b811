// What can happen to a file that kqueue watches, as bits; the values of NOTE_DELETE and so on in C
// (packages/addon/include/pollux/backend.h).

/**
 * What to be told of by `poller.watchVnode`; combine with `|`. A record has what has happened since
 * the last one: `vnodeChanges(events)`.
 *
 * - `deleted`: its last name was removed. - `written`: it was written, or a directory's entries
 *   changed. - `extended`: it grew. - `attributes`: mode, owner or times. - `links`: its number of
 *   names. - `renamed`. - `revoked`: access to it was revoked, or its file system unmounted.
 */
export const VnodeChanges: {
  readonly deleted: 1;
  readonly written: 2;
  readonly extended: 4;
  readonly attributes: 8;
  readonly links: 16;
  readonly renamed: 32;
  readonly revoked: 64;
} = Object.freeze({
  deleted: 1,
  written: 2,
  extended: 4,
  attributes: 8,
  links: 16,
  renamed: 32,
  revoked: 64,
});

export const ALL_VNODE_CHANGES = 127;

/** The changes in the `events` of a record that `watchVnode` asked for: bits of `VnodeChanges`. */
export function vnodeChanges(events: number): number {
  return events >>> 16;
}
