// @ts-check
/** Files that ComfyUI serves. */

/** @typedef {{ filename: string, subfolder: string, type: string }} FileRef for `/view` */

/** @param {any} file @returns {file is FileRef} */
export function isFile(file) {
  return typeof file?.filename === "string" && file.filename !== "";
}

/** @param {FileRef} file */
export function viewPath({ filename, subfolder, type }) {
  return `/view?${new URLSearchParams({ filename, subfolder: subfolder ?? "", type: type ?? "temp" })}`;
}
