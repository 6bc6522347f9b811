// Who is refused for the kind of its file is told, by the message too, which backends would take it.
import { openSync } from 'node:fs';
import { createPoller, Interest } from '@pollux/core';
import { backends, Scene } from '@pollux/testkit/conformance';
import { expect, test } from 'vitest';

test.skipIf(process.platform === 'win32').each(backends)('%s', (backend) => {
  using scene = new Scene();
  using poller = createPoller({ backend, ignoreEnvironment: true });
  const fd = scene.fds.track(openSync(scene.path('file'), 'w+'));
  if (poller.capabilities.anyFd) {
    poller.add(fd, Interest.readable, 1);
    poller.delete(fd);
    return;
  }
  expect(() => poller.add(fd, Interest.readable, 1)).toThrow(
    expect.objectContaining({
      code: 'EPERM',
      fd,
      message: expect.stringContaining('the poll or the select backend may'),
    }),
  );
  for (const other of ['poll', 'select']) {
    using able = createPoller({ backend: other, ignoreEnvironment: true });
    able.add(fd, Interest.readable, 1);
    expect(able.wait(0)).toBe(1);
  }
});
