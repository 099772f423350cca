// The recipe's editor: CodeMirror in a shadow root, where its styles are sheets that the page's policy allows.

import * as cm from "/static/vendor/codemirror.min.js";

const looks = cm.EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--surface)", fontSize: "13px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--code)", lineHeight: "1.6", maxHeight: "46vh", minHeight: "220px" },
  ".cm-content": { caretColor: "var(--accent)", padding: "8px 0" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--quiet)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLine, &.cm-focused .cm-activeLineGutter": { backgroundColor: "var(--sunken)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--accent-soft) !important" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "6px", overflow: "hidden" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-completionInfo": { maxWidth: "320px", padding: "6px 10px" },
  ".cm-diagnostic": { fontFamily: "var(--text)", padding: "6px 10px", maxWidth: "420px" },
  // Marks without pictures: CodeMirror's own are data addresses, which the page's policy refuses.
  ".cm-lint-marker.cm-lint-marker-error, .cm-lint-marker.cm-lint-marker-warning": { content: "none", width: "0.65em", height: "0.65em", marginTop: "0.45em", borderRadius: "50%" },
  ".cm-lint-marker-error": { backgroundColor: "var(--bad)" },
  ".cm-lint-marker-warning": { backgroundColor: "var(--look)", borderRadius: "2px" },
  ".cm-lintRange.cm-lintRange-error, .cm-lintRange.cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy 1px", textUnderlineOffset: "3px" },
  ".cm-lintRange-error": { textDecorationColor: "var(--bad) !important" },
  ".cm-lintRange-warning": { textDecorationColor: "var(--look) !important" },
  ".cm-placeholder": { color: "var(--quiet)" },
});

const colours = cm.HighlightStyle.define([
  { tag: [cm.tags.propertyName, cm.tags.definition(cm.tags.propertyName)], color: "var(--accent)" },
  { tag: [cm.tags.string, cm.tags.special(cm.tags.string)], color: "var(--good)" },
  { tag: [cm.tags.number, cm.tags.bool, cm.tags.null, cm.tags.keyword], color: "var(--look)" },
  { tag: cm.tags.comment, color: "var(--quiet)", fontStyle: "italic" },
  { tag: [cm.tags.punctuation, cm.tags.separator], color: "var(--quiet)" },
]);

const LEADING = /^(\s*(?:- )?)([\w-]*)$/;
const VALUE = /^\s*(?:- )?([\w-]+):\s+(\S*)$/;

// The keys above a line, outermost first: `answer`, then a field's name.
function pathOf(state, line, indent) {
  const path = [];
  let room = indent;
  for (let number = line.number - 1; number > 0 && room > 0; number--) {
    const found = state.doc.line(number).text.match(/^(\s*)(?:- )?([^\s:#][^:]*):/);
    if (found && found[1].length < room) {
      path.unshift(found[2]);
      room = found[1].length;
    }
  }
  return path;
}

// `known` has the keys by their place: "" for the recipe's own, "input", "answer.*" for a field of the answer.
function keysAt(known, path) {
  return known[path.join(".")] ?? known[[...path.slice(0, -1), "*"].join(".")] ?? [];
}

function completions(known, columns) {
  return (context) => {
    const line = context.state.doc.lineAt(context.pos);
    const before = line.text.slice(0, context.pos - line.from);
    const braces = before.match(/\{\{\s*([\w]*)$/);
    if (braces) {
      const options = columns().map(([label, put]) => ({ label, apply: put.slice(2, -2).trim(), type: "variable" }));
      return { from: context.pos - braces[1].length, options };
    }
    const value = before.match(VALUE);
    if (value) {
      const indent = before.match(/^\s*/)[0].length;
      const key = keysAt(known, pathOf(context.state, line, indent)).find((one) => [value[1], "*"].includes(one.key));
      const options = (key?.values ?? []).map((label) => ({ label, type: "constant" }));
      return options.length ? { from: context.pos - value[2].length, options } : null;
    }
    const leading = before.match(LEADING);
    if (!leading || (!leading[2] && !context.explicit)) return null;
    const keys = keysAt(known, pathOf(context.state, line, leading[1].length)).filter((one) => one.key !== "*");
    const options = keys.map((one) => {
      return { label: one.key, info: one.info, apply: `${one.key}: `, type: "property" };
    });
    return options.length ? { from: context.pos - leading[2].length, options } : null;
  };
}

// Put the editor in the place of a textarea, which keeps its text for forms. `edited` is called after each change.
export function recipeEditor(textarea, { known, columns, edited, keys }) {
  const place = document.createElement("div");
  textarea.before(place);
  textarea.hidden = true;
  const root = place.attachShadow({ mode: "open" });
  const state = cm.EditorState.create({
    doc: textarea.value,
    extensions: [
      cm.lineNumbers(), cm.highlightActiveLine(), cm.highlightActiveLineGutter(), cm.history(), cm.drawSelection(),
      cm.indentOnInput(), cm.indentUnit.of("  "), cm.bracketMatching(), cm.closeBrackets(), cm.lintGutter(),
      cm.yaml(), cm.syntaxHighlighting(colours), looks, cm.EditorView.lineWrapping, cm.tooltips({ position: "absolute" }),
      cm.autocompletion({ override: [completions(known, columns)], icons: false }),
      cm.keymap.of([
        ...keys, { key: "Tab", run: cm.acceptCompletion }, ...cm.completionKeymap, ...cm.lintKeymap, ...cm.historyKeymap, ...cm.defaultKeymap,
      ]),
      cm.EditorView.contentAttributes.of({ "aria-label": textarea.getAttribute("aria-label") }),
      cm.EditorView.updateListener.of((update) => {
        if (!update.docChanged) return;
        textarea.value = update.state.doc.toString();
        edited();
      }),
    ],
  });
  const view = new cm.EditorView({ state, parent: root, root });

  return {
    view,
    insert(text) {
      view.dispatch(view.state.replaceSelection(text));
      view.focus();
    },
    go(line, column) {
      const at = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines));
      view.dispatch({ selection: { anchor: Math.min(at.from + Math.max(column - 1, 0), at.to) }, scrollIntoView: true });
      view.focus();
    },
    // A fix replaces a word of a line or the whole line, or adds a line in the end.
    fix({ line, find, put, whole, append }) {
      const doc = view.state.doc;
      if (append) {
        const gap = doc.length && !doc.toString().endsWith("\n") ? "\n" : "";
        view.dispatch({ changes: { from: doc.length, insert: `${gap}${append}\n` } });
        return;
      }
      const at = line ? doc.line(Math.min(line, doc.lines)) : { from: 0, to: doc.length, text: doc.toString() };
      const start = whole ? at.text.match(/^\s*/)[0].length : at.text.indexOf(find);
      if (start < 0) return;
      const end = whole ? at.text.length : start + find.length;
      view.dispatch({ changes: { from: at.from + start, to: at.from + end, insert: whole || put } });
      view.focus();
    },
    replace(text) {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
      view.focus();
    },
    mark(findings) {
      const doc = view.state.doc;
      const diagnostics = findings.filter((one) => one.line).map((one) => {
        const at = doc.line(Math.min(one.line, doc.lines));
        const from = Math.min(at.from + Math.max(one.column - 1, 0), at.to);
        return { from, to: at.to, severity: one.kind === "bad" ? "error" : "warning", message: one.text };
      });
      view.dispatch(cm.setDiagnostics(view.state, diagnostics));
    },
  };
}
