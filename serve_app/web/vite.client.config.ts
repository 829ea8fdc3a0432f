/** How the package for other pages is built: one ES module out of src/client, worklets and all. */
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  publicDir: false,
  build: {
    target: "es2022",
    outDir: "package",
    lib: { entry: "src/client/index.ts", formats: ["es"], fileName: "index" },
  },
});
