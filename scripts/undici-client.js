// What the bundle takes for `undici`: its HTTP client without fetch, WebSocket, mocks and caches, which would double
// the time and memory that a pull needs to start. The build fails if a source file imports anything else of it.
// The same steps as undici's own index.js; the paths are those of the version in package-lock.json.

import send from 'undici/lib/api/api-request.js';
import buildConnector from 'undici/lib/core/connect.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';

Dispatcher.prototype.request = send;

export { Agent, buildConnector };
