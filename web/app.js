/* Where the page begins. window.tutti shows what goes on to who looks with the console, or
   drives the page in a test; nothing is to be changed through it. */
import { App } from "./app/app.js";

const app = new App();
Object.defineProperty(window, "tutti", {
  value: Object.freeze({
    client: app.client,
    player: app.player,
    get room() { return app.room; },
    get playlist() { return app.playlist; },
  }),
});
app.start();
