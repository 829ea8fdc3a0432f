/** The page begins: an avatar on a canvas, which outlives whatever is drawn around it. */
import { createRoot } from "react-dom/client";
import { type Avatar, createAvatar, keyOfAddress } from "../client";
import { App } from "./App";
import { keepWishes, recallWishes } from "./choices";
import { Rest } from "./rest";
import { serviceOf } from "./service";
import "../styles/index.css";

declare global {
  interface Window {
    /** For a look behind the scenes, and for tests. */
    avatar: Avatar;
  }
}

const canvas = document.createElement("canvas");
canvas.id = "face";
const key = keyOfAddress();
const url = serviceOf(document, location.href);
const avatar = createAvatar({ url, canvas, key, wishes: recallWishes() });
const rest = new Rest(url, key);
keepWishes(avatar);
window.avatar = avatar;
createRoot(document.getElementById("page") as HTMLElement).render(
  <App avatar={avatar} canvas={canvas} rest={rest} />,
);
