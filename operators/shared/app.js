// What the App lets only JavaScript do in a page that is open: show a new group in the sidebar, and new colors; act on
// the width of the window; close the dialog after a run; and break a text on the grid into lines.
//
// FiftyOne's own operators reload a dataset with the groups that the page has, so a new one would come with the next
// reload of the page, and colors come only with opening the dataset, which closes the user's panels and view.
(() => {
  const { Operator, OperatorConfig, registerOperator } = window.__foo__;
  const { colorScheme, config, ensureColorScheme, sidebarGroupsDefinition, sidebarVisible } = window.__fos__;

  class ArrangeApp extends Operator {
    get config() {
      return new OperatorConfig({ name: "lgca_arrange_app", label: "Arrange a zero-shot run in the App", unlisted: true });
    }

    // params: groups, the dataset's sidebar groups; colors, its color scheme, null without
    async execute({ state, params }) {
      const defaults = await state.snapshot.getPromise(config);
      state.set(sidebarGroupsDefinition(false), params.groups);
      state.set(colorScheme, ensureColorScheme(params.colors, defaults));
    }
  }

  // Hides the sidebar of a small window, where a panel beside the grid would leave thumbnails too small to judge.
  class MakeRoom extends Operator {
    get config() {
      return new OperatorConfig({ name: "lgca_make_room", label: "Make room beside the grid", unlisted: true });
    }

    // params: width, the window's in pixels below which it is a small one
    async execute({ state, params }) {
      if (window.innerWidth < params.width) state.set(sidebarVisible(false), false);
    }
  }

  class CloseDialog extends Operator {
    get config() {
      return new OperatorConfig({ name: "lgca_close_dialog", label: "Close the dialog after a run", unlisted: true });
    }

    // The App exports no name of the dialog's state, so it is found by its key; without it, the dialog stays open.
    async execute({ state }) {
      for (const node of state.snapshot.getNodes_UNSTABLE()) {
        if (node.key === "operatorIOState") state.set(node, { visible: false });
      }
    }
  }

  registerOperator(ArrangeApp, "@lgca/zero-shot");
  registerOperator(MakeRoom, "@lgca/zero-shot");
  registerOperator(CloseDialog, "@lgca/zero-shot");

  // The suggested class is the end of a suspect's text, which the App would cut off on a small picture.
  const style = document.createElement("style");
  style.textContent =
    "[data-cy^=tag-][data-cy$=_suspect] { white-space: normal !important; height: auto !important; text-align: left; }";
  document.head.append(style);
})();
