/** How the page is built: `npm run build` writes dist/; `npm run dev` serves it in front of a running `avatar run`. */
import react from "@vitejs/plugin-react";
import { loadEnv } from "vite";
import { defineConfig } from "vitest/config";

const BESIDE = ["/avatars", "/conversations", "/healthz", "/personas", "/voices"];

export default defineConfig(({ mode }) => {
  const target = loadEnv(mode, ".", "AVATAR_").AVATAR_URL ?? "http://127.0.0.1:8080";
  return {
    base: "./",
    plugins: [react()],
    build: { target: "es2022", assetsInlineLimit: 0 },
    server: {
      proxy: {
        "/v1": { target, ws: true, rewriteWsOrigin: true },
        ...Object.fromEntries(BESIDE.map((path) => [path, { target }])),
      },
    },
    test: { include: ["tests/**/*.test.ts"], environment: "node" },
  };
});
