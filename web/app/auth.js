import { h } from "./dom.js";
import { ask, field } from "./dialog.js";
import { toast } from "./toast.js";
import { Refusal } from "../tutti/errors.js";

/**
 * Asks who somebody is: to sign in, or to register.
 *
 * @param {import("../tutti/client.js").Client} client
 * @param {{register?: boolean, reason?: string, closed?: () => void}} [options]
 */
export function signIn(client, { register = false, reason, closed } = {}) {
  if (document.querySelector("dialog[data-test=auth]")) return;
  const email = field("E-mail", { name: "email", type: "email", autocomplete: "email", required: true, "data-test": "email" });
  const nickname = field("Your name in rooms", { name: "nickname", autocomplete: "nickname", maxlength: 32, "data-test": "nickname" });
  const password = field("Password", {
    name: "password", type: "password", autocomplete: register ? "new-password" : "current-password", minlength: 8, "data-test": "password",
  }, register ? "At least 8 characters." : undefined);
  const swap = () => {
    const next = !register;
    swapping = true;
    dialog.close();
    signIn(client, { register: next, reason, closed });
    const again = /** @type {HTMLInputElement | null} */ (document.querySelector("dialog [name=email]"));
    if (again) again.value = email.input.value;
  };
  let swapping = false;
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
      toast(register ? `Welcome, ${user.nickname}.` : `Good to see you, ${user.nickname}.`);
    },
    closed: () => { if (!swapping) closed?.(); },
  });
}
