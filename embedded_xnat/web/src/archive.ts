// What the archive's pages do beyond links: make a project, settle the prearchive, upload.
import "./archive/archive.css";
import { installDialogs } from "./archive/dialogs";
import { installPrearchive } from "./archive/prearchive";
import { installUpload } from "./archive/upload";

installDialogs();
installPrearchive();
installUpload();
