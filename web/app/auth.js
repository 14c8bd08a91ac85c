import { h } from "./dom.js";
import { ask, field } from "./dialog.js";
import { toast } from "./toast.js";
import { Refusal } from "../tutti/errors.js";

/**
 * Asks who somebody is: to sign in, or to register.
 *
 * @param {import("../tutti/client.js").Client} client
 * @param {{register?: boolean, reason?: string, email?: string, then?: () => void}} [options] then
 *   is what they wanted to do when they were asked
 */
export function signIn(client, { register = false, reason, email: known = "", then } = {}) {
  if (document.querySelector("dialog[data-test=auth]")) return;
  const email = field("E-mail", { name: "email", type: "email", autocomplete: "email", required: true, value: known, "data-test": "email" });
  const nickname = field("Your name in rooms", { name: "nickname", autocomplete: "nickname", maxlength: 32, "data-test": "nickname" });
  const password = field("Password", {
    name: "password", type: "password", autocomplete: register ? "new-password" : "current-password", minlength: 8, "data-test": "password",
  }, register ? "At least 8 characters." : undefined);
  const swap = () => {
    dialog.close();
    dialog.remove(); // the close event comes later; until then this one would count as open
    signIn(client, { register: !register, reason, email: email.input.value, then });
  };
  let done = false;
  const dialog = ask({
    title: register ? "Join Tutti" : "Welcome back",
    lead: reason ?? (register ? "One account for every room." : "Sign in to vote, suggest and open rooms."),
    test: "auth",
    fields: register ? [nickname.field, email.field, password.field] : [email.field, password.field],
    submit: register ? "Create account" : "Sign in",
    extra: h("button", { type: "button", class: "button plain", "data-test": "auth-swap", onclick: swap }, register ? "I have an account" : "Create an account"),
    run: async () => {
      const who = { email: email.input.value.trim(), password: password.input.value };
      if (!who.email) throw new Refusal("invalid", "enter your e-mail address", { field: "email" });
      if (register && !nickname.input.value.trim()) throw new Refusal("invalid", "choose a name that others will see", { field: "nickname" });
      if (!who.password) throw new Refusal("invalid", "enter your password", { field: "password" });
      const user = register ? await client.register({ ...who, nickname: nickname.input.value.trim() }) : await client.login(who);
      done = true;
      toast(register ? `Welcome, ${user.nickname}.` : `Good to see you, ${user.nickname}.`);
    },
    closed: () => { if (done) then?.(); },
  });
}
