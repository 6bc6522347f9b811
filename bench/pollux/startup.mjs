// A program that does nothing but import Pollux and open a poller.
import { createPoller } from '@pollux/core';

createPoller().close();
