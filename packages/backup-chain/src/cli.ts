#!/usr/bin/env node
import { main } from '@platter/command/main';
import about from '../package.json' with { type: 'json' };

await main(about, {});
