//! A repository in the file system, read as an HTTP server would serve it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use super::{Answer, Body, Request, Transport};
use crate::error::{Error, Result};

/// The files of an archive repository.
#[derive(Debug)]
pub struct Files {
    base: PathBuf,
    content: PathBuf,
}

impl Files {
    /// `base` for everything but content objects, which are below `content`.
    pub fn new(base: &str, content: &str) -> Files {
        Files { base: base.into(), content: content.into() }
    }
}

impl Transport for Files {
    fn get(&self, request: &Request<'_>) -> Result<Answer> {
        let base = if request.content { &self.content } else { &self.base };
        let path = base.join(request.path);
        let place = path.display().to_string();
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Answer::Absent),
            Err(error) => return Err(Error::io(&place, &error)),
        };
        let meta = file.metadata().map_err(|error| Error::io(&place, &error))?;
        if !meta.is_file() {
            return Err(Error::corrupt(format_args!("{place}: expected a file, got something else")));
        }
        let range = request.range.clone().unwrap_or(0..meta.len());
        if range.start > meta.len() {
            return Err(Error::corrupt(format_args!(
                "{place}: expected a longer file, got {} bytes",
                meta.len()
            )));
        }
        let length = range.end.min(meta.len()).saturating_sub(range.start);
        file.seek(SeekFrom::Start(range.start)).map_err(|error| Error::io(&place, &error))?;
        let mut body = Body::new(place, Box::new(file.take(length)), request.limit);
        body.length = Some(length);
        body.offset = range.start;
        body.total = Some(meta.len());
        Ok(Answer::Found(body))
    }

    fn name(&self, path: &str) -> String {
        self.base.join(path).display().to_string()
    }
}
