#!/usr/bin/env node
// The `pollux` command. Plain JavaScript and committed, so that npm can link it before the first
// build of a checkout.
import '../dist/cli/main.js';
